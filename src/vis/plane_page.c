/* SPDX-License-Identifier: MIT */
/* Pictures on a plane, as a page: the wheel, buttons and keys bring one closer; a line tells which picture it
 * is. */
#include "base/context.h"
#include "base/file.h"
#include "vis/page.h"
#include "vis/plane.h"

#include <math.h>
#include <stdio.h>

#define THUMBNAIL 64 /* pixels */

static const char style[] =
    "<style>#plane{position:relative;width:100%;aspect-ratio:1;overflow:hidden;border:1px solid var(--line);"
    "border-radius:8px;background:var(--panel);touch-action:none;cursor:grab}\n"
    "#plane>*{position:absolute;transform:translate(-50%,-50%);box-sizing:border-box}\n"
    "#plane img{border:2px solid;max-width:none}#plane i{width:8px;height:8px;border-radius:50%}\n"
    "#plane .chosen{outline:4px solid var(--accent);z-index:2}#plane .hidden{display:none}\n"
    "#told{min-height:1.5em;overflow-wrap:anywhere}.key{display:flex;flex-wrap:wrap;gap:.3em 1.2em}\n"
    ".key span{display:inline-block;width:.9em;height:.9em;margin-right:.3em;vertical-align:-.1em;"
    "print-color-adjust:exact}</style>\n";

static const char script[] =
    "'use strict';\n"
    "const plane=document.getElementById('plane'),told=document.getElementById('told'),"
    "all=[...plane.children];\n"
    "let zoom=1,left=0,top_=0,chosen=-1,held=null;\n"
    "function place(){const side=plane.clientWidth,base=Math.min(48,Math.max(12,.9*side/Math.sqrt(all.length))),size=Math.min(64,base*Math.sqrt(zoom));"
    "for(const p of all){p.style.left=(p.dataset.x-left)*zoom*side+'px';"
    "p.style.top=(p.dataset.y-top_)*zoom*side+'px';"
    "if(p.tagName=='IMG'){const w=p.getAttribute('width'),h=p.getAttribute('height'),m=Math.max(w,h);"
    "p.style.width=size*w/m+'px';p.style.height=size*h/m+'px'}}}\n"
    "function keep(){const most=1-1/zoom,edge=.1/zoom;left=Math.min(Math.max(left,-edge),most+edge);"
    "top_=Math.min(Math.max(top_,-edge),most+edge);place()}\n"
    "function nearer(factor,x,y){const z=Math.min(Math.max(zoom*factor,1),64);"
    "left+=x/zoom-x/z;top_+=y/zoom-y/z;zoom=z;keep()}\n"
    "function whole(){zoom=1;left=top_=0;place()}\n"
    "function choose(i){if(chosen>=0)all[chosen].classList.remove('chosen');chosen=i;"
    "if(i<0){told.textContent='';return}const p=all[i];p.classList.add('chosen');"
    "told.textContent=p.getAttribute('alt')||p.getAttribute('aria-label');"
    "const x=(p.dataset.x-left)*zoom,y=(p.dataset.y-top_)*zoom;"
    "if(x<0||x>1||y<0||y>1){left=p.dataset.x-.5/zoom;top_=p.dataset.y-.5/zoom;keep()}}\n"
    "function next(step){for(let n=0,i=chosen;n<all.length;n++){i=(i+step+all.length)%all.length;"
    "if(!all[i].classList.contains('hidden')){choose(i);return}}}\n"
    "plane.addEventListener('wheel',e=>{e.preventDefault();const b=plane.getBoundingClientRect();"
    "nearer(e.deltaY<0?1.25:.8,(e.clientX-b.left)/b.width,(e.clientY-b.top)/b.height)},{passive:false});\n"
    "plane.addEventListener('pointerdown',e=>{held={x:e.clientX,y:e.clientY,left,top_,at:e.target};"
    "plane.setPointerCapture(e.pointerId)});\n"
    "plane.addEventListener('pointermove',e=>{if(!held)return;const side=plane.clientWidth*zoom;"
    "left=held.left-(e.clientX-held.x)/side;top_=held.top_-(e.clientY-held.y)/side;keep()});\n"
    "plane.addEventListener('pointerup',e=>{if(held&&Math.hypot(e.clientX-held.x,e.clientY-held.y)<4)"
    "choose(all.indexOf(held.at));held=null});\n"
    "const keys={ArrowLeft:()=>{left-=.15/zoom;keep()},ArrowRight:()=>{left+=.15/zoom;keep()},"
    "ArrowUp:()=>{top_-=.15/zoom;keep()},ArrowDown:()=>{top_+=.15/zoom;keep()},"
    "'+':()=>nearer(1.5,.5,.5),'=':()=>nearer(1.5,.5,.5),'-':()=>nearer(1/1.5,.5,.5),'0':whole,"
    "n:()=>next(1),p:()=>next(-1)};\n"
    "plane.addEventListener('keydown',e=>{const "
    "f=keys[e.key];if(f&&!e.ctrlKey&&!e.metaKey){e.preventDefault();f()}});\n"
    "for(const b of document.querySelectorAll('button[data-key]'))"
    "b.addEventListener('click',()=>keys[b.dataset.key]());\n"
    "for(const b of document.querySelectorAll('input[data-class]'))b.addEventListener('change',()=>{"
    "for(const p of all)if(p.dataset.c==b.dataset.class)p.classList.toggle('hidden',!b.checked)});\n"
    "addEventListener('resize',place);addEventListener('beforeprint',whole);place();\n";

static void put_colour(const struct graft_page *page, struct graft_colour c)
{
    graft_text_append(page->context, page->html, "#%02x%02x%02x", (unsigned)lround(255 * c.red),
                      (unsigned)lround(255 * c.green), (unsigned)lround(255 * c.blue));
}

static void put_key(const struct graft_page *page, const struct graft_plane *plane)
{
    if (plane->class_count < 1) {
        return;
    }
    graft_page_put(page, "<fieldset><legend>Classes</legend><div class=\"key\">\n");
    for (int32_t c = 0; c < plane->class_count; c++) {
        graft_text_append(
            page->context, page->html,
            "<label><input type=\"checkbox\" checked data-class=\"%d\"> <span style=\"background:", c);
        put_colour(page, graft_colour_class(c, plane->class_count));
        graft_page_put(page, "\"></span>");
        graft_page_text(page, plane->class_names[c]);
        graft_page_put(page, "</label>\n");
    }
    graft_page_put(page, "</div></fieldset>\n");
}

/* The class and the name, as the line below the plane tells them. */
static void describe(const struct graft_plane *plane, int64_t i, char *text, size_t size)
{
    const struct graft_plane_point *const point = &plane->points[i];
    (void)snprintf(text, size, "%s%s%s", point->name != NULL ? point->name : "a picture",
                   point->label >= 0 ? ": " : "", point->label >= 0 ? plane->class_names[point->label] : "");
}

/* `<img …>` of graft_page_picture, with its place behind the tag's name. */
static enum graft_status put_point(const struct graft_page *page, const struct graft_plane *plane,
                                   const struct graft_plane_frame *frame, int64_t i)
{
    const struct graft_plane_point *const point = &plane->points[i];
    const double x = 0.04 + 0.92 * (point->x - frame->first[0]) * frame->scale,
                 y = 0.04 + 0.92 * (1 - (point->y - frame->first[1]) * frame->scale);
    char text[4096], attributes[256];
    const struct graft_colour c = graft_colour_class(point->label, plane->class_count);
    describe(plane, i, text, sizeof text);
    (void)graft_format(attributes, sizeof attributes,
                       "data-x=\"%.4f\" data-y=\"%.4f\" data-c=\"%d\" "
                       "style=\"left:%.2f%%;top:%.2f%%;%s:#%02x%02x%02x\"",
                       x, y, point->label, 100 * x, 100 * y,
                       point->picture != NULL ? "width:32px;border-color" : "background",
                       (unsigned)lround(255 * c.red), (unsigned)lround(255 * c.green),
                       (unsigned)lround(255 * c.blue));
    if (point->picture != NULL) {
        return graft_page_picture(page, point->picture, THUMBNAIL, text, attributes);
    }
    graft_text_append(page->context, page->html, "<i role=\"img\" %s aria-label=\"", attributes);
    graft_page_text(page, text);
    graft_page_put(page, "\"></i>");
    return GRAFT_OK;
}

enum graft_status graft_vis_plane_page(struct graft_context *context, const char *path,
                                       const struct graft_plane *plane)
{
    struct graft_text html = {0};
    const struct graft_page page = {context, &html};
    struct graft_plane_frame frame;
    enum graft_status status = graft_plane_check(context, plane);
    if (status != GRAFT_OK) {
        return status;
    }
    graft_plane_place(plane, &frame);
    graft_page_begin(&page, plane->title, plane->title, plane->facts, true);
    graft_page_put(&page, style);
    put_key(&page, plane);
    graft_page_put(
        &page,
        "<p class=\"screen\"><button type=\"button\" data-key=\"+\">closer</button> <button type=\"button\" "
        "data-key=\"-\">farther</button> <button type=\"button\" data-key=\"0\">all</button> "
        "<button type=\"button\" data-key=\"p\">previous picture</button> <button type=\"button\" "
        "data-key=\"n\">next picture</button></p>\n"
        "<p class=\"sub screen\" id=\"how\">Wheel or + and &minus; bring you closer, dragging or arrows "
        "move, 0 shows "
        "all; a click, n and p choose a picture.</p>\n"
        "<p id=\"told\" role=\"status\" aria-live=\"polite\"></p>\n"
        "<div id=\"plane\" tabindex=\"0\" role=\"group\" aria-label=\"pictures on a plane\" "
        "aria-describedby=\"how\">");
    for (int64_t i = 0; i < plane->count && status == GRAFT_OK; i++) {
        status = put_point(&page, plane, &frame, i);
    }
    graft_page_put(&page, "</div>\n");
    graft_page_end(&page, script);
    if (status == GRAFT_OK) {
        status = html.failed ? GRAFT_ERROR_MEMORY : graft_file_write(context, path, html.data, html.length);
    }
    graft_text_close(context, &html);
    return status;
}
