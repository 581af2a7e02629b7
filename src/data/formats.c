/* SPDX-License-Identifier: MIT */
/* The formats of pictures: a row each, those that are decoded and those that are only known by name. */
#include "data/decode.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool begins(const uint8_t *data, size_t size, size_t at, const char *magic, size_t length)
{
    return size >= at + length && memcmp(data + at, magic, length) == 0;
}

/* NAME##_here(data, size): the bytes `magic` stand at `at`. */
#define MAGIC(name, at, magic)                                                                               \
    static bool name##_here(const uint8_t *data, size_t size)                                                \
    {                                                                                                        \
        return begins(data, size, at, magic, sizeof(magic) - 1);                                             \
    }

MAGIC(jpeg, 0, "\xff\xd8\xff")
MAGIC(png, 0, "\x89PNG\r\n\x1a\n")
MAGIC(jpeg_xl_stream, 0, "\xff\x0a")
MAGIC(jpeg_xl, 0, "\0\0\0\x0cJXL \r\n\x87\n")
MAGIC(jpeg_2000, 0, "\0\0\0\x0cjP  \r\n\x87\n")
MAGIC(jpeg_2000_stream, 0, "\xff\x4f\xff\x51")
MAGIC(photoshop, 0, "8BPS")
MAGIC(icon, 0, "\0\0\1\0")
MAGIC(qoi, 0, "qoif")
MAGIC(dds, 0, "DDS ")
MAGIC(openexr, 0, "v/1\x01")
MAGIC(radiance, 0, "#?RADIANCE")
MAGIC(fits, 0, "SIMPLE  =")
MAGIC(hdf5, 0, "\x89HDF\r\n\x1a\n")
MAGIC(numpy, 0, "\x93NUMPY")
MAGIC(pdf, 0, "%PDF")
MAGIC(postscript, 0, "%!PS")
MAGIC(video, 4, "ftyp")
MAGIC(matroska, 0, "\x1a\x45\xdf\xa3")
MAGIC(zip, 0, "PK\x03\x04")
MAGIC(gzip, 0, "\x1f\x8b")
MAGIC(apple_double, 0, "\0\x05\x16\x07")
MAGIC(git_lfs, 0, "version https://git-lfs")

static bool gif_here(const uint8_t *data, size_t size)
{
    return begins(data, size, 0, "GIF87a", 6) || begins(data, size, 0, "GIF89a", 6);
}

static bool webp_here(const uint8_t *data, size_t size)
{
    return begins(data, size, 0, "RIFF", 4) && begins(data, size, 8, "WEBP", 4);
}

static bool tiff_here(const uint8_t *data, size_t size)
{
    return begins(data, size, 0, "II*\0", 4) || begins(data, size, 0, "MM\0*", 4) ||
           begins(data, size, 0, "II+\0", 4) || begins(data, size, 0, "MM\0+", 4);
}

/* Texts begin with "BM", too: the reserved bytes are 0, or the size of the second header is one that there
 * is. */
static bool bmp_here(const uint8_t *data, size_t size)
{
    if (!begins(data, size, 0, "BM", 2)) {
        return false;
    }
    return size < 18 || begins(data, size, 6, "\0\0\0\0", 4) || begins(data, size, 15, "\0\0\0", 3);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* "P" and a digit, a blank, and a number or a comment, so that texts that begin with "P1 " are not meant. */
static bool anymap_here(const uint8_t *data, size_t size, char from, char to)
{
    if (size < 3 || data[0] != 'P' || data[1] < from || data[1] > to ||
        (!is_blank(data[2]) && data[2] != '#')) {
        return false;
    }
    size_t at = 2;
    while (at < size && is_blank(data[at])) {
        at++;
    }
    return at == size || data[at] == '#' || (data[at] >= '0' && data[at] <= '9');
}

static bool pnm_here(const uint8_t *data, size_t size)
{
    return anymap_here(data, size, '1', '6');
}

static bool pam_here(const uint8_t *data, size_t size)
{
    return begins(data, size, 0, "P7\nWIDTH", 8) || begins(data, size, 0, "P7\n#", 4) ||
           anymap_here(data, size, 'f', 'f') || anymap_here(data, size, 'F', 'F');
}

/* A box "ftyp" that names one of the brands, four characters each, as its own or as compatible. */
static bool brand_here(const uint8_t *data, size_t size, const char *brands)
{
    if (!video_here(data, size)) {
        return false;
    }
    const size_t length = (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
    const size_t end = length < size ? length : size;
    for (size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {
        for (const char *brand = brands; *brand; brand += 4) {
            if (memcmp(data + at, brand, 4) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool avif_here(const uint8_t *data, size_t size)
{
    return brand_here(data, size, "avifavis");
}

static bool heic_here(const uint8_t *data, size_t size)
{
    return brand_here(data, size, "heicheixhevchevxheimheishevmhevsmif1msf1");
}

/* A text that holds `mark` early, whatever the case, behind white space, a byte-order mark or a prologue. */
static bool text_here(const uint8_t *data, size_t size, const char *mark)
{
    const size_t length = strlen(mark);
    const size_t first = begins(data, size, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    const size_t end = size < GRAFT_MAGIC_SIZE ? size : GRAFT_MAGIC_SIZE;
    size_t at = first;
    while (at < end && is_blank(data[at])) {
        at++;
    }
    if (at >= end || data[at] != '<') {
        return false;
    }
    for (; at + length <= end && data[at]; at++) {
        if (strncasecmp((const char *)data + at, mark, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool html_here(const uint8_t *data, size_t size)
{
    return text_here(data, size, "<!doctype html") || text_here(data, size, "<html") ||
           text_here(data, size, "<head") || text_here(data, size, "<body");
}

static bool svg_here(const uint8_t *data, size_t size)
{
    return text_here(data, size, "<svg");
}

static bool xml_here(const uint8_t *data, size_t size)
{
    return text_here(data, size, "<?xml");
}

#define CONVERT "which is not read: convert it to JPEG or PNG"
#define REMOVE "remove it, or download the picture again"

/* Not decoded: a picture, or something else. */
#define PICTURE NULL, CONVERT, GRAFT_ERROR_UNSUPPORTED
#define NO_PICTURE(advice) NULL, advice, GRAFT_ERROR_FORMAT
#define DECODED(decode) decode, NULL, GRAFT_OK
#ifdef GRAFT_HAVE_HEIF
#define HEIF DECODED(graft_decode_heif)
#else
#define HEIF                                                                                                 \
    NULL, "which this build does not read: convert it to JPEG or PNG, or build Graft anew with libheif-dev", \
        GRAFT_ERROR_UNSUPPORTED
#endif

/* In the order of asking. */
static const struct graft_picture_format formats[] = {
    {"JPEG", "jpg jpeg jpe jfif", jpeg_here, DECODED(graft_decode_jpeg)},
    {"PNG", "png apng", png_here, DECODED(graft_decode_png)},
    {"GIF", "gif", gif_here, DECODED(graft_decode_gif)},
    {"WebP", "webp", webp_here, DECODED(graft_decode_webp)},
    {"TIFF", "tif tiff", tiff_here, DECODED(graft_decode_tiff)},
    {"BMP", "bmp dib", bmp_here, DECODED(graft_decode_bmp)},
    {"PPM", "ppm pgm pbm pnm", pnm_here, DECODED(graft_decode_pnm)},
    {"AVIF", "avif", avif_here, HEIF},
    {"HEIC", "heic heif", heic_here, HEIF},
    {"PAM or PFM", "pam pfm", pam_here, PICTURE},
    {"JPEG XL", "jxl", jpeg_xl_here, PICTURE},
    {"JPEG XL", "", jpeg_xl_stream_here, PICTURE},
    {"JPEG 2000", "jp2 j2k", jpeg_2000_here, PICTURE},
    {"JPEG 2000", "", jpeg_2000_stream_here, PICTURE},
    {"a Photoshop picture (PSD)", "psd", photoshop_here, PICTURE},
    {"an icon (ICO)", "", icon_here, PICTURE},
    {"QOI", "qoi", qoi_here, PICTURE},
    {"a DDS texture", "dds", dds_here, PICTURE},
    {"OpenEXR", "exr", openexr_here, PICTURE},
    {"a Radiance picture (HDR)", "hdr", radiance_here, PICTURE},
    {"FITS", "", fits_here, PICTURE},
    {"an SVG drawing", "", svg_here, PICTURE},
    {"a PDF document", "", pdf_here, PICTURE},
    {"a PostScript document", "", postscript_here, PICTURE},
    {"an HTML page", "", html_here, NO_PICTURE("as of a download that failed: " REMOVE)},
    {"an XML file", "", xml_here, NO_PICTURE("as of a download that failed: " REMOVE)},
    {"a video (MP4 or QuickTime)", "", video_here, NO_PICTURE("no picture: take pictures from it")},
    {"a video (Matroska or WebM)", "", matroska_here, NO_PICTURE("no picture: take pictures from it")},
    {"an HDF5 file", "", hdf5_here, NO_PICTURE("no picture: write its pictures as PNG")},
    {"a NumPy array", "", numpy_here, NO_PICTURE("no picture: write it as PNG")},
    {"a zip archive", "", zip_here, NO_PICTURE("no picture: unpack it")},
    {"a gzip file", "", gzip_here, NO_PICTURE("no picture: unpack it")},
    {"a macOS side file (AppleDouble)", "", apple_double_here, NO_PICTURE("no picture: remove it")},
    {"a pointer of Git LFS", "", git_lfs_here, NO_PICTURE("not the picture: get that by `git lfs pull`")},
};

#define FORMAT_COUNT (sizeof formats / sizeof formats[0])

const struct graft_picture_format *graft_picture_format_find(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (formats[i].recognizes(data, size)) {
            return &formats[i];
        }
    }
    return NULL;
}

bool graft_picture_magic(const uint8_t *data, size_t size)
{
    const struct graft_picture_format *const format = graft_picture_format_find(data, size);
    return format && format->decode;
}

bool graft_picture_ending(const char *name)
{
    const char *const slash = strrchr(name, '/');
    const char *const dot = strrchr(slash ? slash : name, '.');
    const size_t length = dot ? strlen(dot + 1) : 0;
    for (size_t i = 0; length > 0 && i < FORMAT_COUNT; i++) {
        for (const char *ending = formats[i].endings; *ending; ending += strspn(ending, " ")) {
            const size_t own = strcspn(ending, " ");
            if (own == length && strncasecmp(ending, dot + 1, length) == 0) {
                return true;
            }
            ending += own;
        }
    }
    return false;
}

/* "JPEG, PNG, …": the formats that are decoded. */
static const char *list_formats(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < FORMAT_COUNT && used < size; i++) {
        if (formats[i].decode) {
            const int written =
                snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", formats[i].name);
            used += written > 0 ? (size_t)written : 0;
        }
    }
    return text;
}

enum graft_status graft_picture_refuse(struct graft_decoding *decoding,
                                       const struct graft_picture_format *format)
{
    struct graft_fault *const fault = decoding->fault;
    const char *const name = decoding->name;
    const uint8_t *const data = decoding->data;
    char names[160], start[49];
    size_t zeros = 0, text = 0;
    const size_t seen = decoding->size < GRAFT_MAGIC_SIZE ? decoding->size : GRAFT_MAGIC_SIZE;
    if (seen == 0) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "the file is empty (0 bytes); replace it");
    }
    if (format) {
        return graft_fault_set(fault, format->status, name, "this is %s, %s", format->name, format->advice);
    }
    for (size_t i = 0; i < seen; i++) {
        const bool printable = data[i] >= 0x20 && data[i] < 0x7f;
        if (text < sizeof start - 1 && text == i) {
            start[i] = printable ? (char)data[i] : '.';
            start[i + 1] = '\0';
        }
        zeros += data[i] == 0;
        text += printable || (data[i] >= '\t' && data[i] <= '\r');
    }
    if (zeros == seen) {
        return graft_fault_set(
            fault, GRAFT_ERROR_FORMAT, name,
            "not a picture: bytes that are all 0, as of a copy that broke off; copy it again");
    }
    if (text == seen) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name,
                               "not a picture: a text of %zu bytes that begins with \"%s\"; " REMOVE,
                               decoding->size, start);
    }
    if (seen < 8) {
        return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name, "%zu bytes are no picture; replace it",
                               decoding->size);
    }
    return graft_fault_set(fault, GRAFT_ERROR_FORMAT, name,
                           "not a picture: none of %s (it begins with bytes %02x %02x %02x %02x); replace it",
                           list_formats(names, sizeof names), data[0], data[1], data[2], data[3]);
}
