/* SPDX-License-Identifier: MIT */
/* Pictures beside each other and on a plane. */
#include "world.h"

#include <stdlib.h>

#define COUNT 12
#define WIDTH 4

/* Everything of vectors that are made here. */
enum graft_status step_embed(struct world *world)
{
    float vectors[COUNT * WIDTH];
    struct graft_embedded pictures[COUNT];
    struct graft_near_pair pairs[4];
    struct graft_embedding_score score;
    double plane[2 * COUNT];
    int64_t found = 0;
    const struct graft_embedding e = {.count = COUNT, .width = WIDTH, .vectors = vectors, .pictures = pictures};
    const struct graft_tsne_options options = {.steps = 12};
    for (int i = 0; i < COUNT * WIDTH; i++)
        vectors[i] = (float)(i * 37 % 11) / 16;
    for (int i = 0; i < COUNT; i++)
        pictures[i] = (struct graft_embedded){.index = i, .label = i % 3};
    enum graft_status status = graft_embedding_rate(world->device, &e, 3, &score);
    if (status == GRAFT_OK)
        status = graft_embedding_near_pairs(world->device, &e, 0.1f, 4, pairs, &found);
    if (status == GRAFT_OK)
        status = graft_embedding_tsne(world->device, &e, &options, plane, NULL);
    if (status == GRAFT_OK) {
        world_hash(world, &score, sizeof score);
        world_hash(world, &found, sizeof found);
        world_hash(world, plane, sizeof plane);
    }
    return status;
}

/* A plane with a picture, a dot and a class, drawn and as a page. */
enum graft_status step_plane(struct world *world)
{
    uint8_t pixels[12 * 8 * 3] = {90, 20, 30};
    const struct graft_image picture = {12, 8, 3, pixels};
    const struct graft_plane_point points[2] = {{0, 1, 0, &picture, "a.png"}, {1, 0, -1, NULL, "b.png"}};
    static const char *const names[] = {"ant"};
    const struct graft_plane plane = {"Ants", "two", points, 2, names, 1};
    const uint64_t before = world->bits;
    enum graft_status status = graft_vis_plane(world->context, world_path(world, "plane.png"), &plane, 400);
    world->bits = before; /* a font that is missing for once changes the picture */
    if (status == GRAFT_OK)
        status = graft_vis_plane_page(world->context, world_path(world, "plane.html"), &plane);
    fault_pause(true);
    if (status == GRAFT_OK)
        world_hash_file(world, "plane.html");
    fault_pause(false);
    return status;
}
