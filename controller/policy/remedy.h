/*
 * remedy.h - what would let a refused message in next time: each proposal is
 * simulated, and offered only when it flips the verdict.
 *
 * A remedy is {kind, text, flips: true, one_click, note, ..}; text is the
 * sentence that a help desk reads aloud.  By kind there are
 *
 *	group_entry		group, entry, for ("90d")
 *	take_no_action		policy (as in a document, with its id), why
 *	remove_user_entry	user, entry
 *	permit_user_entry	user, entry
 *	directory_add, directory_enable		address
 *	pass_triplet		-
 *	authorize_client	ip; one_click false: somebody must decide
 *	smtp_auth		one_click false
 */
#ifndef POLICY_REMEDY_H
#define POLICY_REMEDY_H

#include <jansson.h>

#include "controller/policy/compile.h"

/*
 * The remedies for v in the policy of r, as a JSON array, narrowest first,
 * groups before single policies; empty when it was no refusal or nothing
 * helps.  env is the one v was judged on (it is judged again, so its derived
 * parts are filled anew).
 */
json_t *remedies(const struct records *r, struct envelope *env,
    int64_t now_us, enum stage stage, const struct verdict *v);

/* Why a refusal for this reason has no remedy; NULL where it may have. */
const char *remedy_none(enum reason reason);

#endif
