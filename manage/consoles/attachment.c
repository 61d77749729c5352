#include "manage/consoles/attachment.h"

#include "manage/machine.h"

void attachment_begin(struct attachment *attachment, uint64_t vm, bool may_write)
{
    *attachment = (struct attachment){.vm = vm, .may_write = may_write};
}

void attachment_end(struct attachment *attachment)
{
    machine()->console_release(attachment->vm, attachment);
}

bool attachment_update(struct attachment *attachment)
{
    bool was = attachment->writer;

    attachment->writer =
        attachment->may_write && machine()->console_claim(attachment->vm, attachment, false);
    return attachment->writer != was;
}

void attachment_take(struct attachment *attachment)
{
    if (attachment->may_write) {
        (void)machine()->console_claim(attachment->vm, attachment, true);
    }
}

size_t attachment_peek(const struct attachment *attachment, uint8_t *bytes, size_t size,
                       uint64_t *next)
{
    *next = attachment->position;
    return machine()->console_read(attachment->vm, next, bytes, size);
}

size_t attachment_type(const struct attachment *attachment, const uint8_t *bytes, size_t length)
{
    if (!machine()->console_is_writer(attachment->vm, attachment)) {
        return length;
    }
    return machine()->console_type(attachment->vm, attachment, bytes, length);
}
