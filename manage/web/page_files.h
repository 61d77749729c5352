/*
 * The page's files, in the source that embed.py generates: the plain page first, then, unless this
 * is a build without Node, the page and what it loads.
 */
#ifndef MANAGE_WEB_PAGE_FILES_H
#define MANAGE_WEB_PAGE_FILES_H

#include "manage/web/page.h"

extern const struct page_file page_files[];
extern const unsigned page_file_count;

#endif
