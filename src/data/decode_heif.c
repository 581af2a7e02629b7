/* SPDX-License-Identifier: MIT */
/*
 * HEIC and AVIF by libheif, where it was there when Graft was built: the primary picture. Rotation, mirroring
 * and cropping belong to the file's structure; the library applies them, and EXIF has no say. It is loaded
 * with the first such picture: with its decoders it takes longer than all that is linked.
 */
#include "base/late.h"
#include "data/decode.h"

#include <string.h>

#include <libheif/heif.h>

#define FUNCTIONS(X)                                                                                         \
    X(heif_context_alloc)                                                                                    \
    X(heif_context_free)                                                                                     \
    X(heif_context_get_primary_image_handle)                                                                 \
    X(heif_context_read_from_memory_without_copy)                                                            \
    X(heif_context_set_max_decoding_threads)                                                                 \
    X(heif_decode_image)                                                                                     \
    X(heif_decoder_descriptor_get_id_name)                                                                   \
    X(heif_decoding_options_alloc)                                                                           \
    X(heif_decoding_options_free)                                                                            \
    X(heif_get_decoder_descriptors)                                                                          \
    X(heif_get_version)                                                                                      \
    X(heif_image_get_height)                                                                                 \
    X(heif_image_get_plane_readonly)                                                                         \
    X(heif_image_get_width)                                                                                  \
    X(heif_image_handle_get_height)                                                                          \
    X(heif_image_handle_get_width)                                                                           \
    X(heif_image_handle_has_alpha_channel)                                                                   \
    X(heif_image_handle_release)                                                                             \
    X(heif_image_release)

struct heif {
    FUNCTIONS(GRAFT_LATE_MEMBER)
};

static const char *const function_names[] = {FUNCTIONS(GRAFT_LATE_NAME)};

#define COUNT (sizeof function_names / sizeof function_names[0])

static enum graft_status failed(const struct heif *heif, const struct graft_decoding *decoding,
                                struct heif_error error)
{
    struct graft_fault *const fault = decoding->fault;
    const char *const name = decoding->name;
    const char *const text = error.message ? error.message : "no message";
    const int length = (int)strcspn(text, "\n");
    switch (error.code) {
    case heif_error_Memory_allocation_error:
        return graft_fault_set(fault, GRAFT_ERROR_MEMORY, name, "no memory to decode this %s: %.*s",
                               decoding->format, length, text);
    case heif_error_Unsupported_filetype:
    case heif_error_Unsupported_feature:
    case heif_error_Plugin_loading_error:
        return graft_fault_set(
            fault, GRAFT_ERROR_UNSUPPORTED, name,
            "this %s is of a kind that libheif %s does not read (%.*s): convert it to JPEG or PNG",
            decoding->format, heif->heif_get_version(), length, text);
    default:
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "damaged %s: %.*s; replace it",
                               decoding->format, length, text);
    }
}

/* Copies rows of 3 or 4 bytes a pixel. */
static enum graft_status copy_pixels(const struct heif *heif, struct graft_decoding *decoding,
                                     const struct heif_image *image, bool alpha)
{
    const size_t channels = alpha ? 4 : 3;
    const int width = heif->heif_image_get_width(image, heif_channel_interleaved);
    const int height = heif->heif_image_get_height(image, heif_channel_interleaved);
    int stride = 0;
    const uint8_t *const rows = heif->heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
    if (!rows || width < 1 || height < 1 || (size_t)stride < (size_t)width * channels) {
        return failed(heif, decoding,
                      (struct heif_error){.code = heif_error_Invalid_input, .message = "no pixels"});
    }
    uint8_t *const pixels = graft_decoding_pixels(decoding, (uint64_t)width, (uint64_t)height, 3, channels);
    if (!pixels) {
        return decoding->fault->status;
    }
    for (int y = 0; y < height; y++) {
        memcpy(pixels + (size_t)y * (size_t)width * channels, rows + (size_t)y * (size_t)stride,
               (size_t)width * channels);
    }
    if (alpha) {
        graft_composite_on_white(pixels, (size_t)width * (size_t)height);
    }
    return GRAFT_OK;
}

/* libaom's decoder, where there is a choice: dav1d writes what it dislikes about a file to stderr. */
static const char *quiet_decoder(const struct heif *heif)
{
    const struct heif_decoder_descriptor *decoders[16];
    const int count = heif->heif_get_decoder_descriptors(heif_compression_AV1, decoders, 16);
    for (int i = 0; i < count; i++) {
        const char *const id = heif->heif_decoder_descriptor_get_id_name(decoders[i]);
        if (id && strcmp(id, "aom") == 0) {
            return id;
        }
    }
    return NULL;
}

static enum graft_status decode_handle(const struct heif *heif, struct graft_decoding *decoding,
                                       const struct heif_image_handle *handle)
{
    const int width = heif->heif_image_handle_get_width(handle),
              height = heif->heif_image_handle_get_height(handle);
    const bool alpha = heif->heif_image_handle_has_alpha_channel(handle);
    struct heif_image *image = NULL;
    enum graft_status status = graft_check_dimensions(
        width < 0 ? 0 : (uint64_t)width, height < 0 ? 0 : (uint64_t)height, decoding->name, decoding->fault);
    if (status != GRAFT_OK) {
        return status;
    }
    struct heif_decoding_options *const options = heif->heif_decoding_options_alloc();
    if (options) {
        options->convert_hdr_to_8bit = 1;
        options->decoder_id = strcmp(decoding->format, "AVIF") == 0 ? quiet_decoder(heif) : NULL;
    }
    const struct heif_error error =
        heif->heif_decode_image(handle, &image, heif_colorspace_RGB,
                                alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, options);
    heif->heif_decoding_options_free(options);
    status = error.code == heif_error_Ok ? copy_pixels(heif, decoding, image, alpha)
                                         : failed(heif, decoding, error);
    heif->heif_image_release(image);
    return status;
}

enum graft_status graft_decode_heif(struct graft_decoding *decoding)
{
    struct heif functions;
    const struct heif *const heif = &functions;
    struct heif_image_handle *handle = NULL;
    char why[256];
    if (!graft_late_load(GRAFT_HEIF_LIBRARY, function_names, COUNT, &functions, why,
                         sizeof why)) {
        return graft_fault_set(decoding->fault, GRAFT_ERROR_UNSUPPORTED, decoding->name,
                               "this %s takes libheif, which cannot be loaded (%s): install it, or convert "
                               "the picture to JPEG or PNG",
                               decoding->format, why);
    }
    struct heif_context *const context = heif->heif_context_alloc();
    if (!context) {
        return failed(heif, decoding, (struct heif_error){.code = heif_error_Memory_allocation_error});
    }
    heif->heif_context_set_max_decoding_threads(context, 0); /* the loader has its own */
    struct heif_error error =
        heif->heif_context_read_from_memory_without_copy(context, decoding->data, decoding->size, NULL);
    if (error.code == heif_error_Ok) {
        error = heif->heif_context_get_primary_image_handle(context, &handle);
    }
    const enum graft_status status =
        error.code == heif_error_Ok ? decode_handle(heif, decoding, handle) : failed(heif, decoding, error);
    heif->heif_image_handle_release(handle);
    heif->heif_context_free(context);
    return status;
}
