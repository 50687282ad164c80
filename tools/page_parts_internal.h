/* What every page has inside: its style sheet and its script, line by line; NULL ends them. */
#ifndef TL_PAGE_PARTS_INTERNAL_H
#define TL_PAGE_PARTS_INTERNAL_H

extern const char *const tl__page_style[], *const tl__page_script[];

#endif
