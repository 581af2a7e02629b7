/* SPDX-License-Identifier: MIT */
#include "attentions.h"

static const struct graft_case cases[] = {ATTENTION_GRAD_CASES};

const struct graft_case_set graft_cases_attention_grad_query = {cases, CASE_COUNT(cases),
                                                                .derive = graft_attention_rows};
