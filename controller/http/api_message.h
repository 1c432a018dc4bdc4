/*
 * api_message.h - one message with what the policy of today says of it.
 */
#ifndef HTTP_API_MESSAGE_H
#define HTTP_API_MESSAGE_H

#include "controller/http/api.h"
#include "proto/policy/reply.h"

/* The message whose id stands in the path, with "remedies" and "explain", to
 * be decref'd, its id in id; NULL with the error answered. */
json_t *api_message_explained(struct api_call *c, char id[REPLY_ID_LEN + 1]);

#endif
