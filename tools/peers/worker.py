# SPDX-License-Identifier: MIT
"""One engine that runs one network, in a process of its own so that its memory can be told.

Arguments: ENGINE NETWORK MODE BATCH SIDE THREADS [ONNX-FILE]. Commands come on standard input, one a line; each is
answered by one line of JSON: "round SECONDS" runs for at least so long (at least three times) and gives the
milliseconds of each run; "end" gives the peak memory. The first line, unasked, says that the engine is ready.
"""
import json
import resource
import sys
import time


def torch_network(name):
    import torch
    import torchvision

    torch.manual_seed(1)
    # Without Inception's auxiliary classifiers, which Graft's training leaves out, and its slow initial values.
    own = {"aux_logits": False, "init_weights": False} if name in ("inception_v3", "googlenet") else {}
    return torch, getattr(torchvision.models, name)(weights=None, **own)


def torch_engine(engine, name, mode, batch, side, threads):
    """The step as a user of PyTorch writes it; engine is pytorch-nchw, pytorch-nhwc, or the same with -cuda.

    With -cuda (or -fed, which rehearses it without a GPU) it is fed as Graft is: bytes from pinned memory, normalized
    on the device, results back; and Adam is the fused one.
    """
    torch, network = torch_network(name)
    torch.set_num_threads(threads)
    device = torch.device("cuda" if engine.endswith("-cuda") else "cpu")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # it tries its kernels in the first step, which is not counted
    layout = torch.channels_last if "nhwc" in engine else torch.contiguous_format
    network = network.to(device=device, memory_format=layout)
    on_gpu = device.type == "cuda"
    # As in Graft's own measurement, pictures start in the host's memory and results come back to it.
    if on_gpu or engine.endswith("-fed"):
        pictures = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8)
        pictures = pictures.pin_memory() if on_gpu else pictures
        mean = torch.tensor([123.675, 116.28, 103.53], device=device).view(1, 3, 1, 1)
        scale = 1 / torch.tensor([58.395, 57.12, 57.375], device=device).view(1, 3, 1, 1)

        def feed():
            moved = pictures.to(device, non_blocking=True).permute(0, 3, 1, 2)
            return ((moved.float() - mean) * scale).contiguous(memory_format=layout)
    else:
        pictures = torch.rand(batch, 3, side, side).contiguous(memory_format=layout)

        def feed():
            return pictures.to(device)
    labels = torch.randint(0, 1000, (batch,))
    labels = labels.pin_memory() if on_gpu else labels
    if mode == "inference":
        network.eval()

        def step():
            with torch.inference_mode():
                return network(feed()).cpu()
    else:
        network.train()
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-6, fused=True if on_gpu else None)

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(network(feed()), labels.to(device, non_blocking=True))
            loss.backward()
            optimizer.step()
            return loss.item()

    return step, "PyTorch " + torch.__version__.split("+")[0]


def onnx_export(name, side, path):
    import warnings

    warnings.simplefilter("ignore")
    torch, network = torch_network(name)
    torch.onnx.export(network.eval(), (torch.zeros(1, 3, side, side),), path, dynamo=False, input_names=["x"],
                      output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})


def onnxruntime_engine(path, batch, side, threads):
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    pictures = numpy.random.default_rng(1).random((batch, 3, side, side), dtype=numpy.float32)
    return lambda: session.run(None, {"x": pictures}), "ONNX Runtime " + onnxruntime.__version__


def openvino_engine(path, batch, side, threads):
    import numpy
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    model.reshape({"x": [batch, 3, side, side]})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                                                 "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    pictures = numpy.random.default_rng(1).random((batch, 3, side, side), dtype=numpy.float32)
    return lambda: request.infer([pictures]), "OpenVINO " + openvino.__version__.split("-")[0]


def answer(**values):
    print(json.dumps(values), flush=True)


def main():
    engine, name, mode = sys.argv[1:4]
    batch, side, threads = (int(text) for text in sys.argv[4:7])
    if engine == "export":
        onnx_export(name, side, sys.argv[7])
        return
    if engine.startswith("pytorch"):
        step, version = torch_engine(engine, name, mode, batch, side, threads)
    elif engine == "onnxruntime":
        step, version = onnxruntime_engine(sys.argv[7], batch, side, threads)
    else:
        step, version = openvino_engine(sys.argv[7], batch, side, threads)
    step()
    answer(ready=version)
    for line in sys.stdin:
        words = line.split()
        if words[0] == "end":
            break
        times = []
        step()  # the caches are the others' by now
        begin = time.perf_counter()
        while len(times) < 3 or time.perf_counter() - begin < float(words[1]):
            start = time.perf_counter()
            step()
            times.append(1e3 * (time.perf_counter() - start))
        answer(times=times)
    if engine.endswith("-cuda"):
        import torch

        answer(peak_bytes=torch.cuda.max_memory_reserved())
        return
    answer(peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main()
