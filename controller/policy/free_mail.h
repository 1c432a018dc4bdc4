/*
 * free_mail.h - the built-in list of free-mail providers, in force when a
 * document names none.
 */
#ifndef POLICY_FREE_MAIL_H
#define POLICY_FREE_MAIL_H

/* NULL-terminated, sorted. */
const char *const *free_mail_builtin(void);

#endif
