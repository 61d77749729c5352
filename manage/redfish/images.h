/*
 * Images that are uploaded.
 */
#ifndef MANAGE_REDFISH_IMAGES_H
#define MANAGE_REDFISH_IMAGES_H

#include "manage/http/http.h"

/** PUT to Oem/Innkeeper/Images/NAME: the body is the image. */
extern const struct http_upload redfish_image_upload;

#endif
