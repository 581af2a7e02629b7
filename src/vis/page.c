/* SPDX-License-Identifier: MIT */
#include "vis/page.h"

#include "base/context.h"
#include "data/encode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_TEXT 4096 /* of a name or a setting */
#define QUALITY 85

static const char style[] =
    ":root{color-scheme:light dark;--ink:#222;--faint:#5c5c66;--paper:#fff;--panel:#f4f6f9;--line:#dcdce2;"
    "--accent:#0b5cad;--mark:#eef5fc}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e6ea;--faint:#a6a6b2;--paper:#17171c;--panel:#23232b;"
    "--line:#3a3a45;--accent:#7ab8f5;--mark:#1d2a38}img.plot{filter:invert(1) hue-rotate(180deg)}}\n"
    "body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:1080px;margin:2em auto;padding:0 1.2em}\n"
    "h1{font-size:1.5em;margin-bottom:.2em;overflow-wrap:anywhere}h2{font-size:1.15em;margin-top:2em;"
    "overflow-wrap:anywhere}\n"
    "p.sub{color:var(--faint);margin-top:0;overflow-wrap:anywhere}img{max-width:100%;height:auto;display:"
    "block}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25em .9em;text-align:right;border-bottom:1px solid var(--line)}\n"
    "th{color:var(--faint);font-weight:600;border-bottom:2px solid var(--line)}"
    "th:first-child,td:first-child{text-align:left}\n"
    "td.text{text-align:left;overflow-wrap:anywhere}tr.best td{font-weight:600;background:var(--mark)}\n"
    ".wide{overflow-x:auto}\n"
    ".figures{display:flex;flex-wrap:wrap;gap:1em;margin:1.4em 0}\n"
    ".figures div{background:var(--panel);border-radius:8px;padding:.7em 1.2em}\n"
    ".figures b{display:block;font-size:1.5em}.figures span{color:var(--faint);font-size:.9em}\n"
    ".pictures{display:flex;flex-wrap:wrap;gap:1em;margin:1em 0}\n"
    "figure{margin:0;background:var(--panel);border-radius:8px;padding:.6em;break-inside:avoid}\n"
    "figcaption{font-size:.9em;width:0;min-width:100%;overflow-wrap:anywhere;padding-top:.3em}\n"
    ".small figure{padding:.4em;width:150px}.small figcaption{font-size:.8em;line-height:1.35}h3{font-size:1em;"
    "margin:1.4em 0 0}h3+p.sub,.pictures+p.sub{margin:.2em 0}.small{gap:.6em;margin:.4em 0 1em}\n"
    "figure .pair{display:flex;gap:.4em}figcaption .wrong{font-weight:600}\n"
    "summary{cursor:pointer;color:var(--accent);margin:.6em 0}button{font:inherit;padding:.2em .8em}\n"
    ":focus-visible{outline:3px solid var(--accent);outline-offset:2px}\n"
    ".skip{position:absolute;left:-99em}.skip:focus{left:1em;top:.5em;background:var(--paper);padding:.3em}\n"
    "@media screen and (max-width:700px){table{display:block;overflow-x:auto}th,td{padding:.25em .5em}"
    "figure{max-width:100%;box-sizing:border-box}figure .pair{flex-wrap:wrap}}\n"
    "@media print{:root{--ink:#000;--faint:#444;--paper:#fff;--panel:#fff;--line:#bbb;--mark:#fff}"
    "img.plot{filter:none}body{max-width:none;margin:0}.screen,.skip{display:none}"
    "h2{break-after:avoid}tr,img{break-inside:avoid}}\n";

void graft_page_put(const struct graft_page *page, const char *markup)
{
    graft_text_append_bytes(page->context, page->html, markup, strlen(markup));
}

void graft_page_text(const struct graft_page *page, const char *text)
{
    char clean[LONGEST_TEXT];
    (void)graft_text_show(text, clean, sizeof clean);
    for (const char *at = clean; *at != '\0';) {
        const size_t plain = strcspn(at, "&<>\"'");
        graft_text_append_bytes(page->context, page->html, at, plain);
        at += plain;
        if (*at != '\0') {
            graft_text_append(page->context, page->html, "&#%d;", *at);
            at++;
        }
    }
}

void graft_page_number(const struct graft_page *page, const char *format, double number)
{
    char text[64];
    (void)graft_format(text, sizeof text, format, number);
    graft_page_put(page, isfinite(number) ? text : "&ndash;");
}

void graft_page_cell(const struct graft_page *page, const char *format, double number)
{
    graft_page_put(page, "<td>");
    graft_page_number(page, format, number);
    graft_page_put(page, "</td>");
}

void graft_page_text_cell(const struct graft_page *page, const char *text)
{
    graft_page_put(page, "<td class=\"text\">");
    graft_page_text(page, text);
    graft_page_put(page, "</td>");
}

void graft_page_figure(const struct graft_page *page, const char *format, double number, const char *what)
{
    graft_page_put(page, "<div><b>");
    graft_page_number(page, format, number);
    graft_page_put(page, "</b><span>");
    graft_page_put(page, what);
    graft_page_put(page, "</span></div>\n");
}

void graft_page_begin(const struct graft_page *page, const char *title, const char *heading,
                      const char *below, bool script)
{
    graft_page_put(
        page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
              "style-src 'unsafe-inline'");
    graft_page_put(page, script ? "; script-src 'unsafe-inline'\">\n<title>" : "\">\n<title>");
    graft_page_text(page, title);
    graft_page_put(page, "</title>\n<style>\n");
    graft_page_put(page, style);
    graft_page_put(page, "</style></head><body>\n<a class=\"skip\" href=\"#main\">to the content</a>\n<main "
                         "id=\"main\">\n<h1>");
    graft_page_text(page, heading);
    graft_page_put(page, "</h1>\n");
    if (below != NULL) {
        graft_page_put(page, "<p class=\"sub\">");
        graft_page_text(page, below);
        graft_page_put(page, "</p>\n");
    }
}

void graft_page_end(const struct graft_page *page, const char *script)
{
    graft_page_put(page, "<p class=\"sub\">Written by Graft " GRAFT_VERSION "</p>\n</main>\n");
    if (script != NULL) {
        graft_page_put(page, "<script>\n");
        graft_page_put(page, script);
        graft_page_put(page, "</script>\n");
    }
    graft_page_put(page, "</body></html>\n");
}

static void put_base64(const struct graft_page *page, const struct graft_text *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *const data = (const unsigned char *)bytes->data;
    char line[4 * 256];
    size_t used = 0;
    for (size_t i = 0; i < bytes->length; i += 3) {
        const size_t rest = bytes->length - i;
        const uint32_t word = (uint32_t)data[i] << 16 | (rest > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                              (rest > 2 ? (uint32_t)data[i + 2] : 0);
        line[used++] = digits[word >> 18];
        line[used++] = digits[word >> 12 & 63];
        line[used++] = rest > 1 ? digits[word >> 6 & 63] : '=';
        line[used++] = rest > 2 ? digits[word & 63] : '=';
        if (used == sizeof line || rest <= 3) {
            graft_text_append_bytes(page->context, page->html, line, used);
            used = 0;
        }
    }
}

void graft_page_data(const struct graft_page *page, const char *type, const struct graft_text *bytes)
{
    graft_page_put(page, "data:image/");
    graft_page_put(page, type);
    graft_page_put(page, ";base64,");
    put_base64(page, bytes);
}

void graft_page_png(const struct graft_page *page, const struct graft_text *png, const char *alt)
{
    graft_page_put(page, "<img class=\"plot\" alt=\"");
    graft_page_text(page, alt);
    graft_page_put(page, "\" src=\"");
    graft_page_data(page, "png", png);
    graft_page_put(page, "\">\n");
}

enum graft_status graft_page_shrink(struct graft_context *context, struct graft_image *image, int32_t side)
{
    const int32_t larger = image->width > image->height ? image->width : image->height;
    struct graft_image small = {0};
    if (larger <= side) {
        return GRAFT_OK;
    }
    const int32_t width = (int32_t)((int64_t)image->width * side / larger),
                  height = (int32_t)((int64_t)image->height * side / larger);
    const enum graft_status status = graft_image_resize(
        context, image, GRAFT_FILTER_BILINEAR, width > 0 ? width : 1, height > 0 ? height : 1, &small);
    if (status == GRAFT_OK) {
        graft_image_close(context, image);
        *image = small;
    }
    return status;
}

enum graft_status graft_page_picture(const struct graft_page *page, const struct graft_image *image,
                                     int32_t side, const char *alt, const char *attributes)
{
    const int32_t larger = image->width > image->height ? image->width : image->height;
    struct graft_image small = {0};
    struct graft_text bytes = {0};
    enum graft_status status = GRAFT_OK;
    if (larger > side) {
        const int32_t width = (int32_t)((int64_t)image->width * side / larger),
                      height = (int32_t)((int64_t)image->height * side / larger);
        status = graft_image_resize(page->context, image, GRAFT_FILTER_BILINEAR, width > 0 ? width : 1,
                                    height > 0 ? height : 1, &small);
    }
    const struct graft_image *const shown = small.pixels != NULL ? &small : image;
    if (status == GRAFT_OK) {
        status = graft_image_encode_jpeg(page->context, shown, QUALITY, &bytes);
    }
    if (status == GRAFT_OK) {
        graft_text_append(page->context, page->html, "<img width=\"%d\" height=\"%d\" %s alt=\"",
                          shown->width, shown->height, attributes != NULL ? attributes : "");
        graft_page_text(page, alt);
        graft_page_put(page, "\" src=\"");
        graft_page_data(page, "jpeg", &bytes);
        graft_page_put(page, "\">");
    }
    graft_text_close(page->context, &bytes);
    graft_image_close(page->context, &small);
    return status;
}
