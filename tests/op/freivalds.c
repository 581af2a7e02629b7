/* SPDX-License-Identifier: MIT */
#include "real_truth.h"

#include "base/pool.h"
#include "base/random.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

#define ITEM_PLACES 64
#define ITEM_ELEMENTS 65536
#define MOST_SEARCH 4e8 /* products that finding a wrong element may take */

/* ---- spreading work ---- */

struct loop {
    void (*run)(void *user, int64_t first, int64_t end);
    void *user;
    int64_t count, each;
};

static void run_item(void *argument, int64_t item, int thread)
{
    const struct loop *const loop = argument;
    (void)thread;
    loop->run(loop->user, item * loop->each, graft_min_i64((item + 1) * loop->each, loop->count));
}

void graft_spread(struct graft_pool *pool, int64_t count, int64_t each,
                  void (*run)(void *user, int64_t first, int64_t end), void *user)
{
    struct loop loop = {run, user, count, each};
    if (pool != NULL) {
        graft_pool_run(pool, graft_ceil_div(count, each), run_item, &loop);
    } else if (count > 0) {
        run(user, 0, count);
    }
}

/* ---- sums modulo 2^64 ---- */

static uint64_t whole(float value, float scale)
{
    return (uint64_t)(int64_t)(int32_t)(value * scale);
}

/* Σ weights[i] · values[i] */
static uint64_t dot(const float *values, const uint64_t *weights, int64_t count, float scale)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += weights[i] * whole(values[i], scale);
    }
    return sum;
}

static uint64_t dot_whole(const uint64_t *a, const uint64_t *b, int64_t count)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* [images, elements] → Σ over images of image[i] · values */
struct joining {
    const float *values;
    const uint64_t *image;
    int64_t images, elements;
    uint64_t *sums;
};

static void join_range(void *user, int64_t first, int64_t end)
{
    const struct joining *const j = user;
    for (int64_t n = 0; n < j->images; n++) {
        const float *const values = j->values + n * j->elements;
        const uint64_t factor = j->image[n];
        for (int64_t i = first; i < end; i++) {
            j->sums[i] += factor * whole(values[i], 1);
        }
    }
}

static uint64_t *join_images(struct graft_heap *heap, struct graft_pool *pool, const float *values,
                             const uint64_t *image, int64_t images, int64_t elements)
{
    struct joining joining = {values, image, images, elements, NULL};
    joining.sums = graft_heap_get(heap, (size_t)elements, sizeof(uint64_t));
    graft_spread(pool, elements, ITEM_ELEMENTS, join_range, &joining);
    return joining.sums;
}

/* ---- what the result should be ---- */

/* A convolution of one channel: of the images joined to one, with the filters joined over channels. */
struct convolving {
    struct graft_product_geometry g;
    const uint64_t *joined; /* [places of the operand, channels of it] */
    const uint64_t *taps;   /* [kh, kw, the same channels] */
    uint64_t *sums;         /* [places of the result] */
};

static void convolve_range(void *user, int64_t first, int64_t end)
{
    const struct convolving *const v = user;
    const struct graft_product_geometry *const g = &v->g;
    for (int64_t p = first; p < end; p++) {
        for (int64_t t = 0; t < g->kh * g->kw; t++) {
            const int64_t place = graft_product_input_place(g, p / g->ow, p % g->ow, t / g->kw, t % g->kw);
            if (place >= 0) {
                v->sums[p] += dot_whole(v->joined + place * g->c, v->taps + t * g->c, g->c);
            }
        }
    }
}

static void convolve_back_range(void *user, int64_t first, int64_t end)
{
    const struct convolving *const v = user;
    const struct graft_product_geometry *const g = &v->g;
    for (int64_t p = first; p < end; p++) {
        for (int64_t t = 0; t < g->kh * g->kw; t++) {
            const int64_t place = graft_product_output_place(g, p / g->w, p % g->w, t / g->kw, t % g->kw);
            if (place >= 0) {
                v->sums[p] += dot_whole(v->joined + place * g->o, v->taps + t * g->o, g->o);
            }
        }
    }
}

static void want_conv2d(struct graft_heap *heap, struct graft_freivalds *check)
{
    const struct graft_product *const product = check->product;
    struct convolving v = {.g = graft_product_geometry_of(product->call), .sums = check->wanted};
    const struct graft_product_geometry *const g = &v.g;
    const float scale = ldexpf(1, product->exponent);
    uint64_t *const taps = graft_heap_get(heap, (size_t)(g->kh * g->kw * g->c), sizeof *taps);
    for (int64_t o = 0; o < g->o; o++) {
        const int64_t first = o / g->o_each * g->c_each; /* channel of x */
        for (int64_t t = 0; t < g->kh * g->kw; t++) {
            const float *const w = product->in[1] + (o * g->kh * g->kw + t) * g->c_each;
            for (int64_t c = 0; c < g->c_each; c++) {
                taps[t * g->c + first + c] += check->channel[o] * whole(w[c], scale);
            }
        }
    }
    v.taps = taps;
    v.joined = join_images(heap, check->pool, product->in[0], check->image, g->n, g->h * g->w * g->c);
    graft_spread(check->pool, g->oh * g->ow, ITEM_PLACES, convolve_range, &v);
}

static void want_grad_input(struct graft_heap *heap, struct graft_freivalds *check)
{
    const struct graft_product *const product = check->product;
    struct convolving v = {.g = graft_product_geometry_of(product->call), .sums = check->wanted};
    const struct graft_product_geometry *const g = &v.g;
    const float scale = ldexpf(1, product->exponent);
    uint64_t *const taps = graft_heap_get(heap, (size_t)(g->kh * g->kw * g->o), sizeof *taps);
    for (int64_t o = 0; o < g->o; o++) {
        const uint64_t *const channels = check->channel + o / g->o_each * g->c_each;
        for (int64_t t = 0; t < g->kh * g->kw; t++) {
            taps[t * g->o + o] =
                dot(product->in[1] + (o * g->kh * g->kw + t) * g->c_each, channels, g->c_each, scale);
        }
    }
    v.taps = taps;
    v.joined = join_images(heap, check->pool, product->in[0], check->image, g->n, g->oh * g->ow * g->o);
    graft_spread(check->pool, g->h * g->w, ITEM_PLACES, convolve_back_range, &v);
}

/* [rows, groups × each] → [rows, groups], weighted sums of each group. */
struct grouping {
    const float *values;
    const uint64_t *weights; /* [groups × each], or [each] for all groups */
    int64_t groups, each;
    bool shared;
    float scale;
    uint64_t *sums;
};

static void group_range(void *user, int64_t first, int64_t end)
{
    const struct grouping *const s = user;
    for (int64_t i = first * s->groups; i < end * s->groups; i++) {
        const int64_t group = s->shared ? 0 : i % s->groups;
        s->sums[i] = dot(s->values + i * s->each, s->weights + group * s->each, s->each, s->scale);
    }
}

static uint64_t *join_groups(struct graft_heap *heap, struct graft_pool *pool, struct grouping s,
                             int64_t rows)
{
    s.sums = graft_heap_get(heap, (size_t)(rows * s.groups), sizeof(uint64_t));
    graft_spread(pool, rows, graft_max_i64(ITEM_ELEMENTS / graft_max_i64(s.groups * s.each, 1), 1),
                 group_range, &s);
    return s.sums;
}

/* The places of dw are its taps; o are its images, channels of a group its channels. */
struct correlating {
    struct graft_product_geometry g;
    const uint64_t *x, *dy; /* [n, places, groups] */
    uint64_t *sums;         /* [taps] */
};

static void correlate_range(void *user, int64_t first, int64_t end)
{
    const struct correlating *const s = user;
    const struct graft_product_geometry *const g = &s->g;
    for (int64_t t = first; t < end; t++) {
        for (int64_t n = 0; n < g->n; n++) {
            for (int64_t p = 0; p < g->oh * g->ow; p++) {
                const int64_t place =
                    graft_product_input_place(g, p / g->ow, p % g->ow, t / g->kw, t % g->kw);
                if (place >= 0) {
                    s->sums[t] += dot_whole(s->x + (n * g->h * g->w + place) * g->groups,
                                            s->dy + (n * g->oh * g->ow + p) * g->groups, g->groups);
                }
            }
        }
    }
}

static void want_grad_weight(struct graft_heap *heap, struct graft_freivalds *check)
{
    const struct graft_product *const product = check->product;
    struct correlating s = {.g = graft_product_geometry_of(product->call), .sums = check->wanted};
    const struct graft_product_geometry *const g = &s.g;
    s.x = join_groups(heap, check->pool,
                      (struct grouping){product->in[0], check->channel, g->groups, g->c_each, true, 1, NULL},
                      g->n * g->h * g->w);
    s.dy = join_groups(heap, check->pool,
                       (struct grouping){product->in[1], check->image, g->groups, g->o_each, false, 1, NULL},
                       g->n * g->oh * g->ow);
    graft_spread(check->pool, g->kh * g->kw, 1, correlate_range, &s);
}

struct multiplying {
    struct graft_product_matrices s;
    const float *a;
    const uint64_t *joined; /* b·r: [batches or 1, k] */
    uint64_t *sums;         /* [batches × m] */
};

static void multiply_range(void *user, int64_t first, int64_t end)
{
    const struct multiplying *const p = user;
    const struct graft_product_matrices *const s = &p->s;
    for (int64_t row = first; row < end; row++) {
        const int64_t batch = row / s->m;
        const float *const a = p->a + batch * s->m * s->k;
        const uint64_t *const joined = p->joined + (s->shared ? 0 : batch * s->k);
        for (int64_t k = 0; k < s->k; k++) {
            p->sums[row] +=
                joined[k] * whole(s->turned_a ? a[k * s->m + row % s->m] : a[row % s->m * s->k + k], 1);
        }
    }
}

static void want_matmul(struct graft_heap *heap, struct graft_freivalds *check)
{
    const struct graft_product *const product = check->product;
    struct multiplying p = {
        .s = graft_product_matrices_of(product->call), .a = product->in[0], .sums = check->wanted};
    const struct graft_product_matrices *const s = &p.s;
    const float scale = ldexpf(1, product->exponent);
    const int64_t factors = s->shared ? 1 : s->batches;
    uint64_t *joined = NULL;
    if (s->turned_b) { /* [n, k] */
        joined = graft_heap_get(heap, (size_t)(factors * s->k), sizeof *joined);
        for (int64_t i = 0; i < factors * s->n; i++) {
            for (int64_t k = 0; k < s->k; k++) {
                joined[i / s->n * s->k + k] +=
                    check->channel[i % s->n] * whole(product->in[1][i * s->k + k], scale);
            }
        }
    } else {
        joined = join_groups(heap, check->pool,
                             (struct grouping){product->in[1], check->channel, 1, s->n, true, scale, NULL},
                             factors * s->k);
    }
    p.joined = joined;
    graft_spread(check->pool, s->batches * s->m, ITEM_PLACES, multiply_range, &p);
}

/* ---- the result ---- */

/* Σ over images and channels, for each place; and how many elements are no integers. */
struct projecting {
    const struct graft_freivalds *check;
    const float *values;
    float limit; /* how far from an integer */
    uint64_t *sums;
    int64_t *strange; /* [places] */
};

static void project_range(void *user, int64_t first, int64_t end)
{
    const struct projecting *const p = user;
    const struct graft_product_form form = p->check->form;
    const float scale = ldexpf(1, p->check->product->exponent);
    for (int64_t n = 0; n < form.images; n++) {
        for (int64_t place = first; place < end; place++) {
            const float *const values = p->values + (n * form.places + place) * form.channels;
            uint64_t sum = 0;
            int strange = 0;
            for (int64_t c = 0; c < form.channels; c++) {
                const float value = values[c] * scale;
                const bool small = fabsf(value) < 0x1p24f; /* false for NaN */
                const float kept = small ? value : 0;
                const int32_t nearest = (int32_t)(kept + (kept < 0 ? -0.5f : 0.5f));
                strange += !small || fabsf(kept - (float)nearest) > p->limit;
                sum += p->check->channel[c] * (uint64_t)(int64_t)nearest;
            }
            p->sums[place] += p->check->image[n] * sum;
            p->strange[place] += strange;
        }
    }
}

static void project(const struct graft_freivalds *check, const float *values, float limit, uint64_t *sums,
                    int64_t *strange)
{
    struct projecting p = {check, values, limit, sums, strange};
    const int64_t per_place = graft_max_i64(check->form.images * check->form.channels, 1);
    graft_spread(check->pool, check->form.places, graft_max_i64(ITEM_ELEMENTS / per_place, 1), project_range,
                 &p);
}

static uint64_t *draw(struct graft_heap *heap, int64_t count, uint64_t seed)
{
    uint64_t *const numbers = graft_heap_get(heap, (size_t)count, sizeof *numbers);
    for (int64_t i = 0; i < count; i++) {
        numbers[i] = graft_real_mix(graft_real_mix(seed) + (uint64_t)i) | 1;
    }
    return numbers;
}

void graft_freivalds_open(struct graft_heap *heap, struct graft_pool *pool,
                          const struct graft_product *product, uint64_t seed, struct graft_freivalds *check)
{
    const struct graft_product_form form = graft_product_form_of(product->call);
    *check = (struct graft_freivalds){.product = product, .form = form, .pool = pool};
    check->image = draw(heap, form.images, seed);
    check->channel = draw(heap, form.channels, seed + 1);
    check->wanted = graft_heap_get(heap, (size_t)form.places, sizeof *check->wanted);
    if (product->call->op == GRAFT_OP_MATMUL) {
        check->image[0] = 1;
    }
    for (int64_t c = 0; c < form.channels && product->clipped != NULL; c++) {
        check->channel[c] = product->clipped[c] ? 0 : check->channel[c];
    }
    int64_t *const strange = graft_heap_get(heap, (size_t)form.places, sizeof *strange);
    switch (product->call->op) {
    case GRAFT_OP_CONV2D:
        want_conv2d(heap, check);
        break;
    case GRAFT_OP_CONV2D_GRAD_INPUT:
        want_grad_input(heap, check);
        break;
    case GRAFT_OP_CONV2D_GRAD_WEIGHT:
        want_grad_weight(heap, check);
        break;
    default:
        want_matmul(heap, check);
        break;
    }
    if (product->prior != NULL) {
        project(check, product->prior, 0, check->wanted, strange);
    }
    if (product->in[3] != NULL) { /* the residual */
        project(check, product->in[3], 0, check->wanted, strange);
    }
    if (product->in[2] != NULL) {
        uint64_t images = 0;
        for (int64_t n = 0; n < form.images; n++) {
            images += check->image[n];
        }
        const uint64_t bias =
            images * dot(product->in[2], check->channel, form.channels, ldexpf(1, product->exponent));
        for (int64_t place = 0; place < form.places; place++) {
            check->wanted[place] += bias;
        }
    }
}

/* A wrong element of the place, if it is found within reason. */
static void search(const struct graft_freivalds *check, const float *got, double limit,
                   struct graft_freivalds_verdict *verdict)
{
    const struct graft_product_form form = check->form;
    const double each = graft_product_terms(check->product->call) + 1;
    const double unit = ldexp(1, -check->product->exponent);
    double spent = 0;
    for (int64_t i = 0; i < form.images * form.channels && spent < MOST_SEARCH; i++, spent += each) {
        const int64_t index =
            (i / form.channels * form.places + verdict->place) * form.channels + i % form.channels;
        const double wanted = graft_product_element(check->product, index);
        if (!(fabs((double)got[index] - wanted) <= limit * unit)) {
            verdict->index = index;
            verdict->got = (double)got[index];
            verdict->wanted = wanted;
            return;
        }
    }
}

bool graft_freivalds_compare(const struct graft_freivalds *check, struct graft_heap *heap, const float *got,
                             bool rounded, struct graft_freivalds_verdict *verdict)
{
    const int64_t places = check->form.places;
    const float limit = rounded ? 0.25f : 0;
    uint64_t *const sums = graft_heap_get(heap, (size_t)places, sizeof *sums);
    int64_t *const strange = graft_heap_get(heap, (size_t)places, sizeof *strange);
    *verdict = (struct graft_freivalds_verdict){.good = true, .index = -1, .place = -1};
    project(check, got, limit, sums, strange);
    for (int64_t place = 0; place < places; place++) {
        if (strange[place] > 0 || sums[place] != check->wanted[place]) {
            verdict->place = verdict->good ? place : verdict->place;
            verdict->good = false;
            verdict->bad++;
        }
    }
    if (!verdict->good) {
        search(check, got, (double)limit, verdict);
    }
    return verdict->good;
}
