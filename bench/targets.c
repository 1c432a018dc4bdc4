/*
 * targets.c - NAME=ADDRESS[#PID], with commas.
 */
#include "bench/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"

int
targets_parse(char *text, struct compare_target *out, struct diag *why)
{
	char *save = NULL, *p, *at;
	int n = 0;

	for (p = strtok_r(text, ",", &save); p != NULL;
	    p = strtok_r(NULL, ",", &save)) {
		if ((at = strchr(p, '=')) == NULL || n == COMPARE_MAX)
			return diag_set(why, ERR_INVAL, "\"%s\" is not NAME="
			    "ADDRESS[#PID], or one too many", p);
		snprintf(out[n].name, sizeof(out[n].name), "%.*s",
		    (int)(at - p), p);
		out[n].address = at + 1;
		if ((at = strrchr(at, '#')) != NULL) {
			*at = '\0';
			out[n].pid = atoi(at + 1);
		}
		n++;
	}
	return n > 0 ? n : diag_set(why, ERR_INVAL, "no target");
}
