/* SPDX-License-Identifier: MIT */
#include "data/mat.h"

#include "base/context.h"

void graft_mat_close(struct graft_context *context, struct graft_mat *mat)
{
    graft_release(context, mat->numbers);
    *mat = (struct graft_mat){0};
}

#ifdef GRAFT_HAVE_MATIO

#include "base/file.h"
#include "base/late.h"

#include <matio.h>
#include <stdio.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1 << 28)
#define COUNT_LIMIT ((size_t)1 << 26)

#define FUNCTIONS(X) \
    X(Mat_Close) X(Mat_GetDir) X(Mat_Open) X(Mat_VarFree) X(Mat_VarGetNumberOfFields) X(Mat_VarGetStructFieldnames) X(Mat_VarRead) \
    X(Mat_VarReadDataAll) X(Mat_VarReadInfo)

/* libmatio; it brings HDF5's library along, which few need. */
struct matio {
    FUNCTIONS(GRAFT_LATE_MEMBER)
};

static const char *const function_names[] = {FUNCTIONS(GRAFT_LATE_NAME)};

#define COUNT (sizeof function_names / sizeof function_names[0])

/* The value at `index`; 0: no whole number from 1 on. */
static int32_t number_at(const matvar_t *matrix, size_t index)
{
    double value = 0;
    switch (matrix->class_type) {
    case MAT_C_DOUBLE: value = ((const double *)matrix->data)[index]; break;
    case MAT_C_SINGLE: value = (double)((const float *)matrix->data)[index]; break;
    case MAT_C_INT8: value = ((const int8_t *)matrix->data)[index]; break;
    case MAT_C_UINT8: value = ((const uint8_t *)matrix->data)[index]; break;
    case MAT_C_INT16: value = ((const int16_t *)matrix->data)[index]; break;
    case MAT_C_UINT16: value = ((const uint16_t *)matrix->data)[index]; break;
    case MAT_C_INT32: value = ((const int32_t *)matrix->data)[index]; break;
    case MAT_C_UINT32: value = ((const uint32_t *)matrix->data)[index]; break;
    case MAT_C_INT64: value = (double)((const int64_t *)matrix->data)[index]; break;
    case MAT_C_UINT64: value = (double)((const uint64_t *)matrix->data)[index]; break;
    default: break;
    }
    const bool whole = value >= 1 && value <= INT32_MAX && value == (double)(int32_t)value;
    return whole ? (int32_t)value : 0;
}

/* Bytes of a value as number_at reads it; 0: no numbers. */
static size_t size_of_value(const matvar_t *matrix)
{
    static const struct {
        enum matio_classes type;
        size_t size;
    } sizes[] = {{MAT_C_DOUBLE, 8}, {MAT_C_SINGLE, 4}, {MAT_C_INT8, 1},   {MAT_C_UINT8, 1}, {MAT_C_INT16, 2},
                 {MAT_C_UINT16, 2}, {MAT_C_INT32, 4},  {MAT_C_UINT32, 4}, {MAT_C_INT64, 8}, {MAT_C_UINT64, 8}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].type == matrix->class_type) {
            return sizes[i].size;
        }
    }
    return 0;
}

/* How many values, if it is a row or a column; 0: it is none, or too long. */
static size_t length_of(const matvar_t *matrix)
{
    if (matrix->rank != 2 || !matrix->dims || (matrix->dims[0] != 1 && matrix->dims[1] != 1)) {
        return 0;
    }
    const size_t length = matrix->dims[0] == 1 ? matrix->dims[1] : matrix->dims[0];
    return length <= COUNT_LIMIT ? length : 0;
}

static enum graft_status take_numbers(struct graft_context *context, const char *path, const char *variable,
                                      const matvar_t *matrix, struct graft_mat *mat)
{
    const size_t count = length_of(matrix), size = size_of_value(matrix);
    if (count == 0 || size == 0 || matrix->isComplex || !matrix->data || matrix->nbytes < count * size) {
        return graft_fail(context, GRAFT_ERROR_FORMAT, "%s: '%s' is no row or column of numbers", path, variable);
    }
    mat->numbers = graft_allocate_raw(context, count, sizeof *mat->numbers);
    if (!mat->numbers) {
        return GRAFT_ERROR_MEMORY;
    }
    mat->count = count;
    for (size_t i = 0; i < count; i++) {
        mat->numbers[i] = number_at(matrix, i);
        if (mat->numbers[i] == 0) {
            graft_mat_close(context, mat);
            return graft_fail(context, GRAFT_ERROR_FORMAT, "%s, %s(%zu): whole numbers from 1 on are expected", path,
                              variable, i + 1);
        }
    }
    return GRAFT_OK;
}

static enum graft_status no_variable(struct graft_context *context, const struct matio *matio, mat_t *file,
                                     const char *path, const char *variable)
{
    char text[512] = "";
    size_t count = 0, used = 0;
    char *const *const names = matio->Mat_GetDir(file, &count);
    for (size_t i = 0; names && i < count && used < sizeof text; i++) {
        const int length = snprintf(text + used, sizeof text - used, "%s%.64s", used > 0 ? ", " : "",
                                    names[i] ? names[i] : "?");
        used += length > 0 ? (size_t)length : 0;
    }
    return graft_fail(context, GRAFT_ERROR_FORMAT, "%s has no variable '%s' that can be read; it has %s", path, variable,
                      used > 0 ? text : "none");
}

static uint32_t word_at(const uint8_t *bytes, bool big)
{
    uint32_t word = 0;
    for (int i = 0; i < 4; i++) {
        word |= (uint32_t)bytes[i] << 8 * (big ? 3 - i : i);
    }
    return word;
}

/* Do the elements of a level 5 file end where the file does? Of a file that was cut libmatio reads what is not there. */
static bool is_cut(const struct graft_file_map *map)
{
    if (map->size < 128) {
        return true;
    }
    const uint8_t *const order = map->data + 126;
    const bool big = order[0] == 'M' && order[1] == 'I', little = order[0] == 'I' && order[1] == 'M';
    const uint8_t version = map->data[big ? 124 : 125];
    uint64_t at = 128;
    while ((big || little) && version == 1 && at < map->size) { /* version 2 is HDF5, which checks itself */
        if (map->size - at < 8) {
            return true;
        }
        at += 8 + (uint64_t)word_at(map->data + at + 4, big);
    }
    return at > map->size;
}

/* With libmatio's functions; NULL with the error recorded. */
static mat_t *open_mat(struct graft_context *context, const char *path, struct matio *matio, enum graft_status *status)
{
    struct graft_file_map map = {0};
    mat_t *file = NULL;
    char why[256];
    if (!graft_late_load(GRAFT_MATIO_LIBRARY, function_names, COUNT, matio, why, sizeof why)) {
        *status = graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                             "%s takes libmatio, which cannot be loaded (%s): install it, or sort the pictures into a folder "
                             "for each class",
                             path, why);
        return NULL;
    }
    *status = graft_file_map_open(context, path, &map);
    if (*status != GRAFT_OK) {
        return NULL;
    }
    if (map.size > FILE_LIMIT) {
        *status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s is too large for a list of labels", path);
    } else if (is_cut(&map)) {
        *status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s is no MATLAB file, or cut off; copy it again", path);
    } else if (!(file = matio->Mat_Open(path, MAT_ACC_RDONLY))) {
        *status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s is no MATLAB file, or cannot be read; copy it again", path);
    }
    graft_file_map_close(&map);
    return file;
}

enum graft_status graft_mat_read(struct graft_context *context, const char *path, const char *variable,
                                 struct graft_mat *mat)
{
    enum graft_status status;
    struct matio functions;
    const struct matio *const matio = &functions;
    *mat = (struct graft_mat){0};
    mat_t *const file = open_mat(context, path, &functions, &status);
    if (!file) {
        return status;
    }
    /* First what it is, then its values: a header may announce any size. */
    matvar_t *const header = matio->Mat_VarReadInfo(file, variable);
    if (!header) {
        status = no_variable(context, matio, file, path, variable);
    } else if (length_of(header) == 0 || size_of_value(header) == 0 || header->isComplex) {
        status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s: '%s' is no row or column of numbers", path, variable);
    } else if (matio->Mat_VarReadDataAll(file, header) != 0) {
        status = graft_fail(context, GRAFT_ERROR_FORMAT, "%s: '%s' cannot be read; copy it again", path, variable);
    } else {
        status = take_numbers(context, path, variable, header, mat);
    }
    matio->Mat_VarFree(header);
    matio->Mat_Close(file);
    return status;
}

/* A row of characters as text; false: it is none, or longer. */
static bool read_text(const matvar_t *matrix, char *text, size_t size)
{
    const size_t length = matrix && matrix->class_type == MAT_C_CHAR && matrix->data ? length_of(matrix) : 0;
    const size_t unit = length > 0 ? (size_t)matrix->data_size : 0;
    if (length == 0 || length >= size || (unit != 1 && unit != 2) || matrix->nbytes < length * unit) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        const uint32_t letter =
            unit == 1 ? ((const uint8_t *)matrix->data)[i] : ((const uint16_t *)matrix->data)[i];
        if (letter < 0x21 || letter > 0x7e) {
            return false;
        }
        text[i] = (char)letter;
    }
    text[length] = '\0';
    return true;
}

enum graft_status graft_mat_synsets(struct graft_context *context, const char *path,
                                    bool (*add)(void *user, int32_t number, const char *id), void *user)
{
    enum graft_status status;
    struct matio functions;
    const struct matio *const matio = &functions;
    mat_t *const file = open_mat(context, path, &functions, &status);
    if (!file) {
        return status;
    }
    matvar_t *const synsets = matio->Mat_VarRead(file, "synsets");
    const size_t fields = synsets && synsets->class_type == MAT_C_STRUCT ? matio->Mat_VarGetNumberOfFields(synsets) : 0;
    char *const *const names = fields > 0 ? matio->Mat_VarGetStructFieldnames(synsets) : NULL;
    matvar_t *const *const members = synsets && names ? synsets->data : NULL;
    size_t count = members ? length_of(synsets) : 0;
    if (count == 0 || synsets->nbytes / sizeof *members / fields < count) {
        status = synsets ? graft_fail(context, GRAFT_ERROR_FORMAT, "%s: 'synsets' is no array of structures", path)
                         : no_variable(context, matio, file, path, "synsets");
        count = 0;
    }
    for (size_t i = 0; i < count && status == GRAFT_OK; i++) {
        const matvar_t *number = NULL, *text = NULL;
        char id[64];
        for (size_t n = 0; n < fields; n++) {
            const matvar_t *const member = members[i * fields + n];
            number = names[n] && strcmp(names[n], "ILSVRC2012_ID") == 0 ? member : number;
            text = names[n] && strcmp(names[n], "WNID") == 0 ? member : text;
        }
        const bool good = number && number->data && length_of(number) == 1 && size_of_value(number) > 0 &&
                          number->nbytes >= size_of_value(number) && read_text(text, id, sizeof id);
        if (!good) {
            status = graft_fail(context, GRAFT_ERROR_FORMAT,
                                "%s, synsets(%zu): a number in ILSVRC2012_ID and a text in WNID are expected", path, i + 1);
        } else if (!add(user, number_at(number, 0), id)) {
            status = GRAFT_ERROR_MEMORY;
        }
    }
    matio->Mat_VarFree(synsets);
    matio->Mat_Close(file);
    return status;
}

#else

static enum graft_status cannot_read(struct graft_context *context, const char *path, const char *variable)
{
    return graft_fail(context, GRAFT_ERROR_UNSUPPORTED,
                      "%s: '%s' is needed, and this build cannot read MATLAB files: install libmatio-dev and build again "
                      "(meson setup -Dmatio=enabled), or sort the pictures into a folder for each class",
                      path, variable);
}

enum graft_status graft_mat_read(struct graft_context *context, const char *path, const char *variable,
                                 struct graft_mat *mat)
{
    *mat = (struct graft_mat){0};
    return cannot_read(context, path, variable);
}

enum graft_status graft_mat_synsets(struct graft_context *context, const char *path,
                                    bool (*add)(void *user, int32_t number, const char *id), void *user)
{
    (void)add;
    (void)user;
    return cannot_read(context, path, "synsets");
}

#endif
