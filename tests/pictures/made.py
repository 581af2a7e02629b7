# SPDX-License-Identifier: MIT
"""Small files of every format that is decoded, made with Pillow or byte by byte, and what Pillow decodes of them.

made() gives (name, bytes, twin) in a fixed order; expected(bytes) gives (width, height, RGB bytes), or None where Pillow
does not read the file. What is transparent lies on white. Pillow cuts 16-bit grey off at 255: expected is what it makes
of the same values as 16-bit RGB, in PNG and TIFF the upper byte, in PPM the twin, a file to be shown to Pillow instead.
"""
import io
import random
import struct
import warnings
import zlib

from PIL import Image, ImageOps

W, H = 23, 17


def picture(mode, width=None, height=None, seed=1):
    """Noise over a slope, so that rows, columns and channels differ and all compressions have something to do."""
    bands = {"1": 1, "L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    width, height = width or W, height or H
    noise = random.Random(seed)
    values = bytearray()
    for y in range(height):
        for x in range(width):
            for band in range(bands):
                values.append((x * (5 + 3 * band) + y * (7 - band) + noise.randrange(40) * (x // 5 % 2)) % 256)
    if mode == "1":
        return Image.frombytes("L", (width, height), bytes(values)).convert("1")
    image = Image.frombytes(mode, (width, height), bytes(values))
    if mode == "P":
        image.putpalette([noise.randrange(256) for _ in range(768)])
    return image


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def on_white(image):
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def upper_bytes(image):
    """Of 16-bit grey."""
    return Image.frombytes("L", image.size, bytes(value >> 8 for value in image.get_flattened_data())).convert("RGB")


def expected(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data))
            image.load()
            image = ImageOps.exif_transpose(image)
            if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
                image = upper_bytes(image)
            elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
                image = on_white(image)
            else:
                image = image.convert("RGB")
        except Exception:
            return None
    return image.width, image.height, image.tobytes()


# ---- BMP

def bmp(width, height, bits, rows, compression=0, header=40, palette=b"", masks=b"", colours=0, offset=None):
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(rows), 2835, 2835, colours, 0)
        info += (masks if header >= 52 else b"").ljust(header - 40, b"\0")
        masks = b"" if header >= 52 else masks
    begin = 14 + len(info) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", begin + len(rows), 0, 0, begin if offset is None else offset) + info + masks + \
        palette + rows


def padded(rows, multiple=4):
    return b"".join(row + bytes(-len(row) % multiple) for row in rows)


def bmps():
    noise = random.Random(5)
    for mode in ("1", "L", "P", "RGB"):
        yield f"{mode}", saved(picture(mode), "BMP")
    yield "RGBA", saved(picture("RGBA"), "BMP")
    colours = [bytes(noise.randrange(256) for _ in range(3)) for _ in range(256)]
    for bits in (1, 4, 8):
        for header, entry in ((12, 3), (40, 4), (64, 4), (108, 4), (124, 4)):
            palette = b"".join(colour.ljust(entry, b"\0") for colour in colours[:1 << bits])
            rows = padded([bytes(noise.randrange(256) for _ in range((W * bits + 7) // 8)) for _ in range(H)])
            yield f"{bits}_header{header}", bmp(W, H, bits, rows, header=header, palette=palette)
        palette = b"".join(colour + b"\0" for colour in colours[:1 << bits])
        yield f"{bits}_top_down", bmp(W, -H, bits, rows, palette=palette)
    short = b"".join(colour + b"\0" for colour in colours[:5])
    rows = padded([bytes(noise.randrange(7) for _ in range(W)) for _ in range(H)])
    yield "short_palette", bmp(W, H, 8, rows, palette=short, colours=5)
    grey = b"".join(bytes([i, i, i, 0]) for i in range(6))
    yield "short_ramp", bmp(W, H, 8, rows, palette=grey, colours=6)
    yield "palette_not_in_offset", bmp(W, H, 8, rows, palette=short, colours=5, offset=54)
    yield "offset_0", bmp(W, H, 8, rows, palette=short, colours=5, offset=0)
    for name, bits, masks in (("555", 16, (0x7c00, 0x3e0, 0x1f, 0)), ("565", 16, (0xf800, 0x7e0, 0x1f, 0)),
                              ("bgrx", 32, (0xff0000, 0xff00, 0xff, 0)), ("xbgr", 32, (0xff000000, 0xff0000, 0xff00, 0)),
                              ("bgxr", 32, (0xff000000, 0xff00, 0xff, 0)),
                              ("abgr", 32, (0xff000000, 0xff0000, 0xff00, 0xff)),
                              ("rgba", 32, (0xff, 0xff00, 0xff0000, 0xff000000)),
                              ("bgra", 32, (0xff0000, 0xff00, 0xff, 0xff000000)),
                              ("bgar", 32, (0xff000000, 0xff00, 0xff, 0xff0000)), ("zero", 32, (0, 0, 0, 0)),
                              ("24", 24, (0xff0000, 0xff00, 0xff, 0)), ("odd", 32, (0xff, 0xff00, 0xff0000, 0))):
        rows = padded([bytes(noise.randrange(256) for _ in range(W * bits // 8)) for _ in range(H)])
        for header in (40, 52, 56, 108, 124):
            count = 3 if header in (40, 52) else 4
            yield f"masks_{name}_{header}", bmp(W, H, bits, rows, 3, header, masks=struct.pack("<4I", *masks)[:4 * count])
    for bits in (16, 24, 32):
        rows = padded([bytes(noise.randrange(256) for _ in range(W * bits // 8)) for _ in range(H)])
        yield f"{bits}_rows", bmp(W, H, bits, rows)
        yield f"{bits}_rows_top_down", bmp(W, -H, bits, rows, header=124)
        yield f"{bits}_truncated", bmp(W, H, bits, rows[:-9])
        if bits == 24:
            yield "24_without_last_padding", bmp(W, H, bits, rows[:-(-W * 3 % 4)])
            yield "24_core", bmp(W, H, bits, rows, header=12)
    yield from runs(colours, noise)
    yield "jpeg_inside", bmp(W, H, 0, saved(picture("RGB"), "JPEG"), 4)


def runs(colours, noise):
    """Run lengths: runs, absolute pixels, ends of rows, steps."""
    for bits, compression in ((8, 1), (4, 2)):
        palette = b"".join(colour + b"\0" for colour in colours[:1 << bits])
        for variant in range(6):
            data = b""
            for y in range(H):
                left = W
                while left > 0:
                    count = min(left, noise.randrange(1, 9))
                    if count > 2 and noise.randrange(2):
                        size = count if bits == 8 else (count + 1) // 2
                        data += bytes([0, count]) + bytes(noise.randrange(256) for _ in range(size)) + bytes(size % 2)
                    elif variant == 1 and noise.randrange(6) == 0:
                        data += b"\0\2" + bytes([count, 0])
                    elif variant == 2 and count > 4:
                        break
                    else:
                        data += bytes([count, noise.randrange(256)])
                    left -= count
                data += b"\0\0" if variant != 3 or left > 0 else b""
            data += b"\0\1" if variant != 4 else b""
            data = data[:len(data) // 2] if variant == 5 else data
            if variant == 4: # absolute pixels are padded to an even place in the file, wherever they begin
                yield f"rle{bits}_odd", bmp(W, H, bits, b"\xff" + data, compression, palette=palette,
                                            offset=14 + 40 + len(palette) + 1)
            yield f"rle{bits}_{variant}", bmp(W, -H if variant == 0 else H, bits, data, compression, palette=palette)


# ---- PBM, PGM, PPM

def pnm(kind, largest, values):
    head = b"P" + kind + b"\n# a remark\n%d %d # another\n%d\n" % (W, H, largest)
    if kind in b"23":
        return head + b"".join(b"%d%s" % (value, b"\n" if i % 11 == 10 else b" ") for i, value in enumerate(values))
    return head + b"".join(struct.pack(">B" if largest < 256 else ">H", value) for value in values)


def pnms():
    noise = random.Random(6)
    for mode in ("1", "L", "RGB"):
        yield mode, saved(picture(mode), "PPM")
    for largest in (1, 7, 100, 254, 255, 256, 1000, 4095, 65535):
        for kind, bands in ((b"2", 1), (b"3", 3), (b"5", 1), (b"6", 3)):
            values = [noise.randrange(largest + 1) for _ in range(W * H * bands)]
            yield f"P{kind.decode()}_{largest}", pnm(kind, largest, values), \
                pnm(b"6", largest, [value for value in values for _ in range(3)]) if largest > 255 and bands == 1 else None
    yield "above_largest", b"P6 2 1 100 " + bytes([0, 100, 101, 255, 50, 1])
    yield "P1_dense", b"P1\n5 3\n10101\n0 1 0 1 0 # 1 1 1\n00000"
    yield "P2_comment", b"P2\n3 1\n15\n1 # x\n 2#y\n3 15"
    yield "P2_no_last_blank", b"P2 2 1 255 3 255"
    yield "P4_wide", b"P4 9 2\n\xaa\x80\x0f\x00"
    yield "tabs", b"P5\t2\r\n2\v255\f\1\2\3\4"
    yield "truncated", b"P5 4 4 255 12345"
    yield "P3_truncated", b"P3 2 2 255 1 2 3"
    yield "P2_too_large", b"P2 2 1 15 1 16"
    yield "long_number", b"P2 2 1 255 12345678901 1"
    yield "zero_wide", b"P5 0 4 255 "


# ---- PNG

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, extra=b"", interlaced=0, behind=b""):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)) + \
        extra + chunk(b"IDAT", zlib.compress(rows)) + behind + chunk(b"IEND", b"")


def adam7(width, height, bits, noise):
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        columns, lines = (width - x0 + dx - 1) // dx, (height - y0 + dy - 1) // dy
        if columns > 0:
            for _ in range(lines):
                rows += bytes([noise.randrange(5)]) + bytes(noise.randrange(256) for _ in range((columns * bits + 7) // 8))
    return rows


def pngs():
    noise = random.Random(7)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield mode, saved(picture(mode), "PNG")
    for colour, depths, bands in ((0, (1, 2, 4, 8, 16), 1), (2, (8, 16), 3), (3, (1, 2, 4, 8), 1), (4, (8, 16), 2),
                                  (6, (8, 16), 4)):
        for depth in depths:
            bits = depth * bands
            palette = chunk(b"PLTE", bytes(noise.randrange(256) for _ in range(3 << min(depth, 8)))) if colour == 3 else b""
            for interlaced in (0, 1):
                if interlaced:
                    rows = adam7(W, H, bits, noise)
                else:
                    rows = b"".join(bytes([noise.randrange(5)]) + bytes(noise.randrange(256) for _ in range((W * bits + 7) // 8))
                                    for _ in range(H))
                yield f"{colour}_{depth}_{interlaced}", png(W, H, depth, colour, rows, palette, interlaced)
                if colour == 3:
                    alpha = chunk(b"tRNS", bytes(noise.randrange(256) for _ in range(1 << depth)))
                    yield f"{colour}_{depth}_{interlaced}_alpha", png(W, H, depth, colour, rows, palette + alpha, interlaced)
    rows = b"".join(b"\0" + bytes(noise.randrange(9) for _ in range(W)) for _ in range(H))
    few = chunk(b"PLTE", bytes(noise.randrange(256) for _ in range(3 * 7)))
    yield "short_palette", png(W, H, 8, 3, rows, few)
    yield "one_transparent", png(W, H, 8, 3, rows, few + chunk(b"tRNS", b"\xff\xff\0"))
    yield "grey_transparent", png(W, H, 8, 0, rows, chunk(b"tRNS", b"\0\3"))
    rows = b"".join(b"\0" + bytes(noise.randrange(2) for _ in range(W * 3)) for _ in range(H))
    yield "rgb_transparent", png(W, H, 8, 2, rows, chunk(b"tRNS", b"\0\1\0\1\0\0"))
    for width, height in ((1, 1), (1, 9), (9, 1), (3, 2), (5, 5)):
        yield f"interlaced_{width}x{height}", png(width, height, 8, 2, adam7(width, height, 24, noise), interlaced=1)
        yield f"interlaced_alpha_{width}x{height}", png(width, height, 8, 6, adam7(width, height, 32, noise), interlaced=1)
    frames = [picture("RGBA", seed=seed) for seed in (1, 2, 3)]
    yield "animated", saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    yield "animated_default", saved(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True)


# ---- GIF

def gif_codes(indices, bits):
    """Uncompressed LZW: a clear code before the table grows."""
    out, held, count = bytearray(), 0, 0
    width, clear = bits + 1, 1 << bits
    codes = []
    for i, index in enumerate(indices):
        if i % max(1, clear - 2) == 0:
            codes.append(clear)
        codes.append(index)
    codes.append(clear + 1)
    for code in codes:
        held |= code << count
        count += width
        while count >= 8:
            out.append(held & 255)
            held >>= 8
            count -= 8
    if count:
        out.append(held & 255)
    return bytes([bits]) + b"".join(bytes([len(out[i:i + 255])]) + bytes(out[i:i + 255]) for i in range(0, len(out), 255)) + b"\0"


def gif(screen, frame, indices, bits, colours=None, own=None, transparent=None, interlaced=False, end=b";", flags=0):
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, (0x80 | bits - 1) if colours else 0, 3, 0) + (colours or b"")
    data += b"!\xfe\x05hello\0"
    if transparent is not None:
        data += b"!\xf9\x04" + bytes([1 | flags, 0, 0, transparent]) + b"\0"
    data += b"," + struct.pack("<HHHHB", *frame, ((0x80 | bits - 1) if own else 0) | (0x40 if interlaced else 0)) + (own or b"")
    return data + gif_codes(indices, max(bits, 2)) + end


def gifs():
    noise = random.Random(8)
    for mode in ("1", "L", "P", "RGB"):
        yield mode, saved(picture(mode), "GIF")
        yield f"{mode}_interlaced", saved(picture(mode), "GIF", interlace=1)
    yield "RGBA", saved(picture("RGBA"), "GIF")
    frames = [picture("P", seed=seed) for seed in (1, 2, 3)]
    yield "animated", saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield "animated_disposal", saved(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=2)
    for bits in (1, 2, 4, 7, 8):
        some = bytes(noise.randrange(256) for _ in range(3 << bits))
        other = bytes(noise.randrange(256) for _ in range(3 << bits))
        ramp = b"".join(bytes([i, i, i]) for i in range(1 << bits))
        for name, screen, frame in (("whole", (W, H), (0, 0, W, H)), ("inside", (W, H), (3, 2, 11, 9)),
                                    ("grown", (W, H), (9, 7, W, H)), ("wider", (W, H), (0, 0, W + 4, 5))):
            indices = [noise.randrange(1 << bits) for _ in range(frame[2] * frame[3])]
            yield f"{bits}_{name}", gif(screen, frame, indices, bits, some)
            yield f"{bits}_{name}_own", gif(screen, frame, indices, bits, some, other, interlaced=True)
            yield f"{bits}_{name}_only_own", gif(screen, frame, indices, bits, None, other)
            yield f"{bits}_{name}_transparent", gif(screen, frame, indices, bits, some, transparent=1)
            yield f"{bits}_{name}_ramp", gif(screen, frame, indices, bits, ramp, transparent=1, interlaced=True)
            yield f"{bits}_{name}_none", gif(screen, frame, indices, bits)
            yield f"{bits}_{name}_dispose", gif(screen, frame, indices, bits, some, transparent=0, flags=8)
        yield f"{bits}_far_transparent", gif((W, H), (0, 0, W, 4), indices[:4 * W], bits, some, transparent=200)
    many = [noise.randrange(256) for _ in range(W * H)]
    few = bytes(noise.randrange(256) for _ in range(3 << 4))
    data = gif((W, H), (0, 0, W, H), [value % 16 for value in many], 4, few)
    short = data.replace(b"GIF89a" + struct.pack("<HHB", W, H, 0x83), b"GIF89a" + struct.pack("<HHB", W, H, 0x80))
    yield "short_palette", short[:13] + short[13:19] + short[13 + 48:]
    yield "no_trailer", data[:-1]
    yield "no_terminator", data[:-2]
    yield "half", data[:len(data) // 2]
    yield "87a", data.replace(b"GIF89a", b"GIF87a")


# ---- WebP

def riff(chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_frame(image, **options):
    """The chunk with the pixels of a file that Pillow wrote."""
    data = saved(image, "WEBP", **options)
    at, chunks = 12, []
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 4)[0]
        if data[at:at + 4] in (b"VP8 ", b"VP8L", b"ALPH"):
            chunks.append((data[at:at + 4], data[at + 8:at + 8 + size]))
        at += 8 + size + size % 2
    return chunks


def webp_animation(canvas, offset, image, flags, **options):
    size = lambda value: struct.pack("<I", value)[:3]
    inner = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
                     for kind, data in webp_frame(image, **options))
    frame = size(offset[0] // 2) + size(offset[1] // 2) + size(image.width - 1) + size(image.height - 1) + size(100) + b"\0"
    return riff([(b"VP8X", bytes([flags | 2, 0, 0, 0]) + size(canvas[0] - 1) + size(canvas[1] - 1)),
                 (b"ANIM", b"\x10\x20\x30\x40\0\0"), (b"ANMF", frame + inner), (b"ANMF", frame + inner)])


def webps():
    for width, height in ((W, H), (1, 1), (16, 16), (40, 33)):
        for quality in (5, 80, 100):
            yield f"lossy_{width}x{height}_{quality}", saved(picture("RGB", width, height), "WEBP", quality=quality)
            yield f"alpha_{width}x{height}_{quality}", saved(picture("RGBA", width, height), "WEBP", quality=quality)
        yield f"lossless_{width}x{height}", saved(picture("RGB", width, height), "WEBP", lossless=True)
        yield f"lossless_alpha_{width}x{height}", saved(picture("RGBA", width, height), "WEBP", lossless=True)
        yield f"exact_{width}x{height}", saved(picture("RGBA", width, height), "WEBP", lossless=True, exact=True)
    yield "grey", saved(picture("L"), "WEBP")
    yield "palette", saved(picture("P"), "WEBP", lossless=True)
    yield "method_6", saved(picture("RGB"), "WEBP", method=6)
    yield "icc", saved(picture("RGB"), "WEBP", icc_profile=b"profile")
    for mode in ("RGB", "RGBA"):
        frames = [picture(mode, seed=seed) for seed in (1, 2, 3)]
        for lossless in (False, True):
            yield f"animated_{mode}_{lossless}", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:],
                                                       lossless=lossless)
            for flags in (0, 16):
                yield f"animated_inside_{mode}_{lossless}_{flags}", webp_animation((40, 36), (6, 4), frames[0], flags,
                                                                                 lossless=lossless)
                yield f"animated_covers_{mode}_{lossless}_{flags}", webp_animation((W, H), (0, 0), frames[0], flags,
                                                                                 lossless=lossless)
    data = saved(picture("RGB"), "WEBP")
    yield "truncated", data[:-20]
    yield "behind", data + b"more bytes"


# ---- TIFF

def tiff(width, height, tags, blocks, order="<", big=False):
    """One directory; blocks are strips (273, 279), or tiles where 322 is among the tags."""
    tags = dict(tags)
    tags.update({256: (4, [width]), 257: (4, [height])})
    offsets, counts = (324, 325) if 322 in tags else (273, 279)
    tags.setdefault(offsets, (4, [0] * len(blocks)))
    tags.setdefault(counts, (4, [len(block) for block in blocks]))
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
    letters = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B"}
    head = 8 + 2 + 12 * len(tags) + 4
    far = b""
    start = head + sum((len(v) * sizes[t] + 1) // 2 * 2 for t, v in tags.values() if len(v) * sizes[t] > 4)
    at, places = start, []
    for block in blocks:
        places.append(at)
        at += len(block)
    tags[offsets] = (4, places)
    entries = b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        data = struct.pack(order + str(len(values)) + letters[kind], *values)
        if len(data) > 4:
            entries += struct.pack(order + "HHII", tag, kind, len(values), head + len(far))
            far += data + bytes(len(data) % 2)
        else:
            entries += struct.pack(order + "HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "IH", 8, len(tags)) + entries + bytes(4) + far + b"".join(blocks)


def samples(noise, width, height, bits, count, order="<"):
    if bits == 16:
        return [b"".join(struct.pack(order + "H", noise.randrange(65536)) for _ in range(width * count)) for _ in range(height)]
    return [bytes(noise.randrange(256) for _ in range((width * bits * count + 7) // 8)) for _ in range(height)]


PACKED = {1: lambda data: data, 8: zlib.compress, 32946: zlib.compress, 32773: None}


def packbits(data):
    out = b""
    for i in range(0, len(data), 100):
        part = data[i:i + 100]
        out += bytes([len(part) - 1]) + part
    return out


def tiffs():
    noise = random.Random(9)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"):
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma", "jpeg"):
            if compression == "jpeg" and mode not in ("L", "RGB", "CMYK"):
                continue
            yield f"{mode}_{compression}", saved(picture(mode, W + 7, H + 8), "TIFF", compression=compression)
            yield f"{mode}_{compression}_strips", saved(picture(mode, W + 7, H + 8), "TIFF", compression=compression,
                                                        strip_size=400)
    for compression in ("group3", "group4"):
        yield f"1_{compression}", saved(picture("1"), "TIFF", compression=compression)
    for bits, photometric, count in ((8, 2, 3), (16, 2, 3), (8, 1, 1), (16, 1, 1)):
        rows = b"".join(samples(noise, W, H, bits, count))
        tags = {258: (3, [bits] * count), 259: (3, [8]), 262: (3, [photometric]), 277: (3, [count]), 317: (3, [2])}
        yield f"predictor_{bits}_{photometric}", tiff(W, H, tags, [zlib.compress(rows)])
    yield "big", saved(picture("RGB"), "TIFF", big_tiff=True)
    yield "pages", saved(picture("RGB"), "TIFF", save_all=True, append_images=[picture("L", seed=4)])
    for orientation in range(0, 10):
        exif = Image.Exif()
        exif[274] = orientation
        yield f"orientation_{orientation}", saved(picture("RGB"), "TIFF", exif=exif)
        if 1 <= orientation <= 8:
            yield f"orientation_lzw_{orientation}", saved(picture("L"), "TIFF", exif=exif, compression="tiff_lzw")
    yield "xmp", saved(picture("RGB"), "TIFF", tiffinfo={700: b'<x tiff:Orientation="6"/>'})
    kinds = [("white", 0, 1, bits, None) for bits in (1, 2, 4, 8)] + [("black", 1, 1, bits, None) for bits in (1, 2, 4, 8, 16)] + \
        [("palette", 3, 1, bits, None) for bits in (1, 2, 4, 8)] + \
        [("rgb", 2, 3, bits, None) for bits in (8, 16)] + \
        [(f"rgb_extra{extra}", 2, 4, bits, extra) for bits in (8, 16) for extra in (None, 0, 1, 2)] + \
        [(f"rgb_two{extra}", 2, 5, 8, extra) for extra in (0, 1, 2)] + \
        [(f"grey_extra{extra}", 1, 2, 8, extra) for extra in (0, 1, 2)] + \
        [(f"palette_extra{extra}", 3, 2, 8, extra) for extra in (0, 2)] + \
        [("cmyk", 5, 4, bits, None) for bits in (8, 16)] + [("cmyk_extra", 5, 5, 8, 0)]
    for name, photometric, count, bits, extra in kinds:
        for order in "<>":
            for compression in (1, 8, 32773):
                pack = packbits if compression == 32773 else PACKED[compression]
                tags = {258: (3, [bits] * count), 259: (3, [compression]), 262: (3, [photometric]), 277: (3, [count])}
                if extra is not None:
                    tags[338] = (3, [extra] + [0] * (count - {1: 1, 2: 3, 3: 1, 5: 4}[photometric] - 1))
                if photometric == 3:
                    tags[320] = (3, [noise.randrange(65536) for _ in range(3 << bits)])
                rows = samples(noise, W, H, bits, count, order)
                label = f"{name}_{bits}_{'II' if order == '<' else 'MM'}_{compression}"
                strips = [pack(b"".join(rows[y:y + 5])) for y in range(0, H, 5)]
                yield f"{label}_strips", tiff(W, H, {**tags, 278: (4, [5])}, strips, order)
                tiles = [pack(b"".join(samples(noise, 16, 16, bits, count, order)))
                         for _ in range((W + 15) // 16 * ((H + 15) // 16))]
                yield f"{label}_tiles", tiff(W, H, {**tags, 322: (4, [16]), 323: (4, [16])}, tiles, order)
                if count > 1 and photometric != 1:
                    most = H // 2 + 1
                    planes = [pack(b"".join(samples(noise, W, height, bits, 1, order))) for _ in range(count)
                              for height in (most, H - most)]
                    yield f"{label}_planes", tiff(W, H, {**tags, 278: (4, [most]), 284: (3, [2])}, planes, order)
    tags = {258: (3, [4]), 259: (3, [8]), 262: (3, [1]), 322: (4, [16]), 323: (4, [16])}
    tiles = [zlib.compress(bytes(noise.choice(b"\x12\x47") for _ in range(8 * 16))) for _ in range(4)]
    yield "many_tiles", tiff(19, 17, tags, tiles)
    rows = samples(noise, W, H, 1, 1)
    yield "fill_order", tiff(W, H, {258: (3, [1]), 259: (3, [1]), 262: (3, [1]), 266: (3, [2])}, [b"".join(rows)])
    yield "fill_order_packed", tiff(W, H, {258: (3, [1]), 259: (3, [32773]), 262: (3, [1]), 266: (3, [2])},
                                    [packbits(b"".join(rows))])
    rows = samples(noise, W, H, 8, 1)
    yield "no_photometric", tiff(W, H, {258: (3, [8]), 259: (3, [1])}, [b"".join(rows)])
    yield "truncated", tiff(W, H, {258: (3, [8]), 259: (3, [1]), 262: (3, [1])}, [b"".join(rows)])[:-30]
    yield "float", tiff(2, 1, {258: (3, [32]), 259: (3, [1]), 262: (3, [1]), 339: (3, [3])}, [struct.pack("<2f", 1, 200)])


# ---- JPEG

def jpegs():
    for mode in ("L", "RGB", "CMYK"):
        for quality in (10, 75, 95):
            for options in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
                yield f"{mode}_{quality}_{'_'.join(options)}", saved(picture(mode, 45, 37), "JPEG", quality=quality, **options)
    for subsampling in (0, 1, 2):
        for width, height in ((1, 1), (8, 8), (17, 9), (45, 37)):
            yield f"s{subsampling}_{width}x{height}", saved(picture("RGB", width, height), "JPEG", subsampling=subsampling)
    yield "rgb", saved(picture("RGB"), "JPEG", keep_rgb=True)
    yield "mpo", saved(picture("RGB"), "MPO", save_all=True, append_images=[picture("RGB", 8, 8)])


# ---- Orientation

def orientation(kind, value, order="<", count=1, first=b""):
    data = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}[kind]
    entry = struct.pack(order + "HHI", 274, kind, count) + struct.pack(order + data, value).ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return first + mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


def orientations():
    head = b"Exif\0\0"
    plain = saved(picture("RGB"), "JPEG")
    grey = saved(picture("L"), "PNG")
    web = webp_frame(picture("RGB"))
    xmps = [f'<x tiff:Orientation="{value}"/>'.encode() for value in (0, 1, 3, 6, 9)] + \
        [b"<tiff:Orientation>8</tiff:Orientation>", b"<tiff:Orientation> 8</tiff:Orientation>", b"tiff:Orientation='6'",
         b'tiff:Orientation="63"', b'tiff:Orientation="" tiff:Orientation="5"']
    blocks = [orientation(kind, value, order, count, first) for kind in (1, 3, 4, 8, 9) for value in (0, 1, 2, 6, 8, 9)
              for order in "<>" for count in (1, 2) for first in (b"", head, head + head) if count == 1 or kind in (3, 8)]
    blocks += [orientation(3, 6)[:cut] for cut in range(8, 24)]
    segment = lambda data: b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    for i, block in enumerate(blocks):
        yield f"jpeg_{i}", plain[:2] + segment(head + block) + plain[2:]
        yield f"jpeg_xmp_{i}", plain[:2] + segment(b"http://ns.adobe.com/xap/1.0/\0" + xmps[3]) + segment(head + block) + plain[2:]
        yield f"png_{i}", grey[:33] + chunk(b"eXIf", block) + grey[33:]
        text = f"\nexif\n{len(block):8}\n{block.hex()}\n".encode()
        yield f"png_text_{i}", grey[:33] + chunk(b"tEXt", b"Raw profile type exif\0" + text) + grey[33:]
        yield f"png_behind_{i}", grey[:-12] + chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)) + grey[-12:]
        canvas = struct.pack("<I", W - 1)[:3] + struct.pack("<I", H - 1)[:3]
        yield f"webp_{i}", riff([(b"VP8X", bytes([8, 0, 0, 0]) + canvas), *web, (b"EXIF", block)])
    for label, first in (("exif", b""), ("exif_header", head)):
        yield f"webp_{label}", riff([(b"VP8X", bytes([8, 0, 0, 0]) + canvas), *web, (b"EXIF", orientation(3, 6, ">", 1, first))])
    for i, xmp in enumerate(xmps):
        yield f"jpeg_only_xmp_{i}", plain[:2] + segment(b"http://ns.adobe.com/xap/1.0/\0" + xmp) + plain[2:]
        yield f"png_xmp_{i}", grey[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp) + grey[33:]
        yield f"png_xmp_packed_{i}", grey[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)) + grey[33:]
        yield f"webp_xmp_{i}", riff([(b"VP8X", bytes([4, 0, 0, 0]) + canvas), *web, (b"XMP ", xmp)])
        yield f"tiff_xmp_{i}", saved(picture("L"), "TIFF", tiffinfo={700: xmp})


def made():
    for name, files in (("bmp", bmps), ("pnm", pnms), ("png", pngs), ("gif", gifs), ("webp", webps), ("tiff", tiffs),
                        ("jpeg", jpegs), ("orientation", orientations)):
        for label, data, *twin in files():
            yield f"{name}/{label}", data, (twin or [None])[0]


# Pillow reads these, Graft does not, and says so.
UNREAD = {"tiff/float"}


def unlike(name):
    """Where Pillow is not followed, as it is at odds with itself, each in planes only: 16 bits without compression are
    taken as 8 bits; with compression a fourth sample of RGB that is not declared is alpha, but multiplied into the
    colours, and the alpha of a palette is lost."""
    return name.endswith("_planes") and (
        name.startswith("tiff/") and "_16_" in name and name.endswith("_1_planes") or
        name.startswith(("tiff/rgb_extraNone_", "tiff/palette_extra2_")))
