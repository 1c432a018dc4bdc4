/*
 * context.h - where the controller is and with what token, from a flag, the
 * environment or the context file.
 *
 * The file is POSTERN_CONTEXT, else postern/context.yaml in XDG_CONFIG_HOME
 * or ~/.config; its keys are addr, token_file and ca_file.
 */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include "controller/cli/flags.h"
#include "proto/base/buf.h"

/*
 * Append the value of a setting ("addr", "token-file", "ca-file") to out;
 * nothing when it is said nowhere.  CLI_OK, or CLI_USAGE with the context
 * file's mistake printed.
 */
int context_get(const struct flags *f, const char *name, struct buf *out);

#endif
