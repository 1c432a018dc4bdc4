/*
 * api_group.h - how groups are nested and used, for more than one handler.
 */
#ifndef HTTP_API_GROUP_H
#define HTTP_API_GROUP_H

#include "controller/http/api.h"

/* The ids of the policies that name this group on either side. */
json_t *api_group_policies(const struct items *items, const char *group);
/* The groups that stand in it (children), or that it stands in. */
json_t *api_group_nested(const struct items *items, const char *group,
    bool children);

#endif
