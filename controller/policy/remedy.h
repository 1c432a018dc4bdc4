/*
 * remedy.h - what would let a refused message in next time: each proposal is
 * simulated, and offered only when it flips the verdict.
 */
#ifndef POLICY_REMEDY_H
#define POLICY_REMEDY_H

#include <jansson.h>

#include "controller/policy/compile.h"

/*
 * The remedies for v in the policy of r, as a JSON array, narrowest first;
 * empty when it was no refusal or nothing helps.  env is the one v was judged
 * on (it is judged again, so its derived parts are filled anew).
 */
json_t *remedies(const struct records *r, struct envelope *env,
    int64_t now_us, enum stage stage, const struct verdict *v);

#endif
