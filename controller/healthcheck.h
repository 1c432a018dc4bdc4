/*
 * healthcheck.h - the question that a container's check asks a running
 * controller: does /readyz answer?
 */
#ifndef CONTROLLER_HEALTHCHECK_H
#define CONTROLLER_HEALTHCHECK_H

#include "proto/base/diag.h"

/*
 * Note the API's url in the data folder, where healthcheck_main() looks it
 * up.  0 or ERR_IO with why.
 */
int healthcheck_note(const char *dir, const char *url, struct diag *why);

/*
 * postern-controller healthcheck --dir DIR | --url URL: prints why on stderr
 * when it is not ready.  The exit status: 0 ready, 1 not ready or no answer,
 * 2 usage.  Blocks for at most 5 s.  A certificate is not checked: only a
 * status is asked for, and nothing is given away.
 */
int healthcheck_main(int argc, char **argv);

#endif
