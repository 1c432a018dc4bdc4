/*
 * findings.h - what lint found, on a terminal.
 */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <jansson.h>
#include <stdio.h>

/* Print an array of findings (controller/policy/lint.h), with what would
 * mend each; NULL or empty prints nothing. */
void print_findings(const json_t *findings, FILE *out);

#endif
