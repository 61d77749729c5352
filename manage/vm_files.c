#include "manage/vm_files.h"

#include <string.h>

#include "kernel/boot/boot_info.h"
#include "kernel/log.h"
#include "kernel/memory/heap.h"
#include "manage/vms.h"

static void report_error(void *context, const char *message)
{
    (void)context;
    log_error("%s", message);
}

static void read_file(const struct boot_module *module,
                      void (*use)(void *context, const struct vm_description *description),
                      void *context)
{
    struct vm_description *descriptions = kmalloc(sizeof(*descriptions) * VMS_MAX);
    unsigned count = 0;

    if (!descriptions) {
        log_error("%s: the kernel heap is exhausted", module->name);
        return;
    }
    /* Every error has been reported; what is right is used. */
    (void)description_parse(module->name, module->data, module->size, descriptions, VMS_MAX, &count,
                            report_error, NULL);
    for (unsigned i = 0; i < count; i++) {
        use(context, &descriptions[i]);
    }
    kfree(descriptions);
}

/* The accounts' file describes no VMs (manage/access/accounts_config.h). */
static bool is_description(const struct boot_module *module)
{
    const char *dot = strrchr(module->name, '.');
    char accounts[64];

    return dot && strcmp(dot, ".json") == 0 &&
           !(boot_option("accounts", accounts, sizeof(accounts)) &&
             strcmp(module->name, accounts) == 0);
}

void vm_files_read(void (*use)(void *context, const struct vm_description *description),
                   void *context)
{
    const struct boot_info *info = boot_info();
    char name[64];
    bool named = boot_option("vms", name, sizeof(name));
    bool found = false;

    for (unsigned i = 0; i < info->module_count; i++) {
        const struct boot_module *module = &info->modules[i];

        if (named ? strcmp(module->name, name) == 0 : is_description(module)) {
            found = true;
            read_file(module, use, context);
        }
    }
    if (!found) {
        log_warn("no VM description: %s%s",
                 named ? "no boot module is called "
                       : "pass a boot module "
                         "whose name ends in .json",
                 named ? name : "");
    }
}
