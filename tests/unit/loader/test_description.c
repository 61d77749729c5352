/* guest/description.c and guest/json.c: what is accepted, and where and how the rest is refused. */
#include "guest/description.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/json.h"
#include "tests/unit/support/cmocka.h"

#define VMS_MAX 4

static struct vm_description vms[VMS_MAX];
static unsigned count;
static char reports[2048];
static unsigned report_count;

static void keep_report(void *context, const char *message)
{
    assert_ptr_equal(context, reports);
    assert_true(strlen(reports) + strlen(message) + 2 < sizeof(reports));
    strcat(reports, message);
    strcat(reports, "\n");
    report_count++;
}

static int parse_bytes(const char *text, size_t length)
{
    /* A copy of the exact size, so that AddressSanitizer sees a read past the end. */
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    reports[0] = '\0';
    report_count = 0;
    int result =
        description_parse("vms.json", copy, length, vms, VMS_MAX, &count, keep_report, reports);
    free(copy);
    return result;
}

static int parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* The whole text is refused, with just this report. */
static void assert_refused(const char *text, const char *report)
{
    int result = parse(text);

    assert_string_equal(reports, report);
    assert_int_equal(result, -EINVAL);
    assert_int_equal(report_count, 1);
    assert_int_equal(count, 0);
}

/* One VM is refused, with just this report. */
static void assert_vm_refused(const char *vm, const char *report)
{
    char text[4096];

    snprintf(text, sizeof(text), "{\"vms\":[\n%s]}", vm);
    int result = parse(text);
    assert_string_equal(reports, report);
    assert_int_equal(result, 0);
    assert_int_equal(report_count, 1);
    assert_int_equal(count, 0);
}

static void assert_accepted(const char *vm)
{
    char text[4096];

    snprintf(text, sizeof(text), "{\"vms\":[%s]}", vm);
    int result = parse(text);
    assert_string_equal(reports, "");
    assert_int_equal(result, 0);
    assert_int_equal(count, 1);
}

static void test_linux(void **state)
{
    (void)state;
    assert_accepted("{\"name\":\"linux\",\"memory\":\"256M\",\"vcpus\":1,\"linux\":{\"kernel\":"
                    "\"vmlinuz\",\"initrd\":\"initrd\",\"cmdline\":\"console=ttyS0\"}}");
    assert_string_equal(vms[0].name, "linux");
    assert_int_equal(vms[0].memory, 256u << 20);
    assert_int_equal(vms[0].vcpus, 1);
    assert_false(vms[0].test_device);
    assert_int_equal(vms[0].boot, BOOT_KIND_LINUX);
    assert_string_equal(vms[0].image, "vmlinuz");
    assert_string_equal(vms[0].initrd, "initrd");
    assert_string_equal(vms[0].cmdline, "console=ttyS0");
}

static void test_multiboot(void **state)
{
    (void)state;
    assert_accepted(
        "{\"multiboot\" : { \"modules\":[ \"one\" , {\"cmdline\":\"a b\",\"name\":\"two\"}"
        ", {\"name\":\"three\"} ], \"image\":\"hello.elf\"},\n\"memory\":4194304, "
        "\"test-device\":true, \"vcpus\":16,\t\"name\":\"A.b_c-9\"}");
    assert_string_equal(vms[0].name, "A.b_c-9");
    assert_int_equal(vms[0].memory, 4194304);
    assert_int_equal(vms[0].vcpus, 16);
    assert_true(vms[0].test_device);
    assert_int_equal(vms[0].boot, BOOT_KIND_MULTIBOOT);
    assert_string_equal(vms[0].image, "hello.elf");
    assert_string_equal(vms[0].cmdline, "");
    assert_int_equal(vms[0].module_count, 3);
    assert_string_equal(vms[0].modules[0].name, "one");
    assert_string_equal(vms[0].modules[0].cmdline, "one");
    assert_string_equal(vms[0].modules[1].name, "two");
    assert_string_equal(vms[0].modules[1].cmdline, "a b");
    assert_string_equal(vms[0].modules[2].cmdline, "three");
}

#define IMAGE "\"multiboot\":{\"image\":\"i\"}"

static void test_memory(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } right[] = {
        {"\"4096K\"", 4096u << 10}, {"\"1G\"", UINT64_C(1) << 30},    {"2097152", 2u << 20},
        {"\"2M\"", 2u << 20},       {"\"1024G\"", UINT64_C(1) << 40},
    };
    static const struct {
        const char *text;
        const char *problem;
    } wrong[] = {
        {"\"abc\"", "'abc' is not a size (such as \"256M\")"},
        {"\"\"", "'' is not a size (such as \"256M\")"},
        {"\"M\"", "'M' is not a size (such as \"256M\")"},
        {"\"256\"", "'256' is not a size (such as \"256M\")"},
        {"\"256MB\"", "'256MB' is not a size (such as \"256M\")"},
        {"\"256m\"", "'256m' is not a size (such as \"256M\")"},
        {"\"-1M\"", "'-1M' is not a size (such as \"256M\")"},
        {"-1", "'-1' is not a size (such as \"256M\")"},
        {"3e9", "'3e9' is not a size (such as \"256M\")"},
        {"null", "'null' is not a size (such as \"256M\")"},
        {"[\"1M\"]", "'[\"1M\"]' is not a size (such as \"256M\")"},
        {"\"1025G\"", "'1025G' is more than a VM can have (1024G)"},
        {"\"99999999999999999999K\"", "'99999999999999999999K' is more than a VM can have (1024G)"},
        {"\"9999999999999999999K\"", "'9999999999999999999K' is more than a VM can have (1024G)"},
        {"18446744073709551616", "'18446744073709551616' is more than a VM can have (1024G)"},
        {"\"1K\"", "'1K' is less than a VM needs (2M)"},
        {"0", "'0' is less than a VM needs (2M)"},
    };
    char text[256];
    char report[256];

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        snprintf(text, sizeof(text), "{\"name\":\"a\",\"memory\":%s," IMAGE "}", right[i].text);
        assert_accepted(text);
        assert_int_equal(vms[0].memory, right[i].bytes);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "{\"memory\":%s}", wrong[i].text);
        snprintf(report, sizeof(report), "vms.json:2:11: \"memory\": %s\n", wrong[i].problem);
        assert_vm_refused(text, report);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_accepted("{\"name\":\"1234567890123456789012345678901\",\"memory\":\"2M\"," IMAGE "}");
    assert_vm_refused("{\"name\":\"12345678901234567890123456789012\"}",
                      "vms.json:2:9: \"name\": longer than 31 characters\n");
    assert_vm_refused("{\"name\":\"\"}", "vms.json:2:9: \"name\": '' is no name\n");
    assert_vm_refused("{\"name\":\"a b\"}", "vms.json:2:9: \"name\": 'a b' is no name: letters, "
                                            "digits, '.', '_' and '-' are allowed\n");
    assert_vm_refused("{\"name\":7}", "vms.json:2:9: \"name\": '7' is not a text\n");
    assert_vm_refused("{\"multiboot\":{\"image\":\"a b\"}}",
                      "vms.json:2:23: \"image\": 'a b' is no module's name: it has spaces\n");
    assert_vm_refused("{\"multiboot\":{\"image\":\"\"}}",
                      "vms.json:2:23: \"image\": '' is no module's name\n");
}

static void test_keys(void **state)
{
    (void)state;
    assert_vm_refused("{\"name\":\"a\",\n  \"memroy\":\"2M\"}",
                      "vms.json:3:3: unknown key \"memroy\"; a VM may have: name, memory, vcpus, "
                      "sched, autostart, test-device, linux, multiboot\n");
    assert_vm_refused("{\"linux\":{\"image\":\"a\"}}",
                      "vms.json:2:11: unknown key \"image\"; \"linux\" may have: kernel, initrd, "
                      "cmdline\n");
    assert_vm_refused("{\"multiboot\":{\"modules\":[{\"nam\":\"\"}]}}",
                      "vms.json:2:27: unknown key \"nam\"; a module may have: name, cmdline\n");
    assert_vm_refused("{\"vcpus\":1,\"vcpus\":1}", "vms.json:2:12: \"vcpus\" is there twice\n");
    assert_vm_refused("{\"name\":\"a\"}", "vms.json:2:1: a VM needs \"memory\"\n");
    assert_vm_refused("{\"memory\":\"2M\"}", "vms.json:2:1: a VM needs \"name\"\n");
    assert_vm_refused("{\"linux\":{}}", "vms.json:2:10: \"linux\" needs \"kernel\"\n");
    assert_vm_refused("{\"linux\":[]}", "vms.json:2:10: \"linux\" must be an object, in {}\n");
    assert_vm_refused("{\"name\":\"a\",\"memory\":\"2M\"}",
                      "vms.json:2:1: VM \"a\" needs either \"linux\" or \"multiboot\"\n");
    assert_vm_refused("{\"name\":\"a\",\"memory\":\"2M\"," IMAGE ",\"linux\":{\"kernel\":\"k\"}}",
                      "vms.json:2:1: VM \"a\" needs either \"linux\" or \"multiboot\"\n");
    assert_vm_refused("17", "vms.json:2:1: a VM must be an object, in {}\n");
}

static void test_values(void **state)
{
    (void)state;
    assert_vm_refused("{\"vcpus\":0}",
                      "vms.json:2:10: \"vcpus\": '0' is not a number from 1 to 16\n");
    assert_vm_refused("{\"vcpus\":17}",
                      "vms.json:2:10: \"vcpus\": '17' is not a number from 1 to 16\n");
    assert_vm_refused("{\"vcpus\":1.5}",
                      "vms.json:2:10: \"vcpus\": '1.5' is not a number from 1 to 16\n");
    assert_vm_refused("{\"vcpus\":\"1\"}",
                      "vms.json:2:10: \"vcpus\": '1' is not a number from 1 to 16\n");
    assert_vm_refused("{\"test-device\":1}",
                      "vms.json:2:16: \"test-device\": '1' is neither true nor false\n");
    assert_vm_refused("{\"multiboot\":{\"modules\":{}}}",
                      "vms.json:2:25: \"modules\": '{}' is not a list, in []\n");
    assert_vm_refused("{\"multiboot\":{\"modules\":[3]}}",
                      "vms.json:2:26: a module must be an object, in {}\n");
    assert_vm_refused("{\"multiboot\":{\"modules\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}}",
                      "vms.json:2:25: \"modules\": more than 16 modules\n");
    assert_vm_refused("{\"memory\":\"0123456789012345678901234567890123456789\"}",
                      "vms.json:2:11: \"memory\": '012345678901234567890123456789012345...' is not "
                      "a size (such as \"256M\")\n");
}

/* A VM with this "sched". */
static const char *with_sched(const char *vcpus, const char *sched)
{
    static char text[512];

    snprintf(text, sizeof(text),
             "{\"sched\":%s,\"name\":\"a\",\"memory\":\"2M\",\"vcpus\":%s," IMAGE "}", sched,
             vcpus);
    return text;
}

static void test_sched_defaults(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_accepted(i == 0 ? "{\"name\":\"a\",\"memory\":\"2M\"," IMAGE "}"
                               : with_sched("1", "{}"));
        assert_true(vms[0].autostart);
        assert_int_equal(vms[0].sched.weight, 100);
        assert_int_equal(vms[0].sched.cap, 0);
        assert_int_equal(vms[0].sched.budget, 0);
        assert_int_equal(vms[0].sched.period, 0);
        for (unsigned cpu = 0; cpu < SCHED_CPUS_MAX; cpu++) {
            assert_true(cpu_mask_has(&vms[0].sched.cpus, cpu));
        }
    }
}

static void test_sched(void **state)
{
    (void)state;
    assert_accepted(with_sched("3",
                               "{\"weight\":10000,\"cap\":300,\"reservation\":{\"budget\":\"2ms\","
                               "\"period\":\"1s\"},\"cpus\":\"0-1,3\"}"));
    assert_int_equal(vms[0].sched.weight, 10000);
    assert_int_equal(vms[0].sched.cap, 300);
    assert_int_equal(vms[0].sched.budget, 2000000);
    assert_int_equal(vms[0].sched.period, 1000000000);
    assert_accepted(with_sched("1", "{\"reservation\":{\"budget\":10,\"period\":\"100us\"}}"));
    assert_int_equal(vms[0].sched.budget, 10000);
    assert_int_equal(vms[0].sched.period, 100000);
    assert_accepted(with_sched("1", "{\"cap\":50,\"reservation\":{\"budget\":50,\"period\":100}}"));
    assert_accepted("{\"name\":\"a\",\"memory\":\"2M\",\"autostart\":false," IMAGE "}");
    assert_false(vms[0].autostart);
}

static void test_cpus(void **state)
{
    static const struct {
        const char *text;
        uint64_t words[CPU_MASK_WORDS];
    } right[] = {
        {"\"0-1,3\"", {0xb}},
        {"\"0\"", {1}},
        {"\"63-64,255\"", {1ul << 63, 1, 0, 1ul << 63}},
        {"\"0-255\"", {~0ul, ~0ul, ~0ul, ~0ul}},
        {"\"!0\"", {~1ul, ~0ul, ~0ul, ~0ul}},
        {"\"!2-127,130\"", {3, 0, ~4ul, ~0ul}},
        {"[0, 255, 2]", {5, 0, 0, 1ul << 63}},
    };
    static const struct {
        const char *text;
        const char *problem;
    } wrong[] = {
#define NO_LIST " is not a list of CPUs (such as \"0-1,3\", \"!0\" or [0, 1])"
        {"\"\"", "\"cpus\": ''" NO_LIST},
        {"\"!\"", "\"cpus\": '!'" NO_LIST},
        {"\"0,\"", "\"cpus\": '0,'" NO_LIST},
        {"\"0 1\"", "\"cpus\": '0 1'" NO_LIST},
        {"\"2-1\"", "\"cpus\": '2-1'" NO_LIST},
        {"\"1-\"", "\"cpus\": '1-'" NO_LIST},
        {"\"-1\"", "\"cpus\": '-1'" NO_LIST},
        {"\"1-2-3\"", "\"cpus\": '1-2-3'" NO_LIST},
        {"\"0,!1\"", "\"cpus\": '0,!1'" NO_LIST},
        {"3", "\"cpus\": '3'" NO_LIST},
        {"\"256\"", "\"cpus\": CPUs are numbered 0 to 255"},
        {"\"0-256\"", "\"cpus\": CPUs are numbered 0 to 255"},
        {"\"300-2\"", "\"cpus\": CPUs are numbered 0 to 255"},
        {"\"99999999999999999999\"", "\"cpus\": CPUs are numbered 0 to 255"},
        {"\"!0-255\"", "\"cpus\": '!0-255' leaves no CPU"},
        {"[]", "\"cpus\": '[]' leaves no CPU"},
    };
    char text[128];
    char report[256];

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        snprintf(text, sizeof(text), "{\"cpus\":%s}", right[i].text);
        assert_accepted(with_sched("1", text));
        assert_memory_equal(vms[0].sched.cpus.words, right[i].words, sizeof(right[i].words));
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(text, sizeof(text), "{\"cpus\":%s}", wrong[i].text);
        snprintf(report, sizeof(report), "vms.json:2:18: %s\n", wrong[i].problem);
        assert_vm_refused(with_sched("1", text), report);
    }
    assert_vm_refused(with_sched("1", "{\"cpus\":[0,256]}"),
                      "vms.json:2:21: \"cpus\": '256' is not a number from 0 to 255\n");
    assert_vm_refused(with_sched("1", "{\"cpus\":[\"0\"]}"),
                      "vms.json:2:19: \"cpus\": '0' is not a number from 0 to 255\n");
}

static void test_sched_refused(void **state)
{
    static const struct {
        const char *vcpus;
        const char *sched;
        const char *report;
    } wrong[] = {
#define NO_TIME " is not a time (such as \"500us\", \"2ms\" or microseconds)"
        {"1", "7", "10: \"sched\" must be an object, in {}"},
        {"1", "{\"wieght\":1}",
         "11: unknown key \"wieght\"; \"sched\" may have: weight, cap, reservation, cpus"},
        {"1", "{\"weight\":0}", "20: \"weight\": '0' is not a number from 1 to 10000"},
        {"1", "{\"weight\":10001}", "20: \"weight\": '10001' is not a number from 1 to 10000"},
        {"1", "{\"cap\":0}", "17: \"cap\": '0' is not a number from 1 to 1600"},
        {"1", "{\"cap\":\"20%\"}", "17: \"cap\": '20%' is not a number from 1 to 1600"},
        {"16", "{\"cap\":1601}", "17: \"cap\": '1601' is not a number from 1 to 1600"},
        {"1", "{\"cap\":101}", "1: VM \"a\": \"cap\": 101 is more than 1 vCPU can use (100)"},
        {"2", "{\"cap\":201}", "1: VM \"a\": \"cap\": 201 is more than 2 vCPUs can use (200)"},
        {"2", "{\"cap\":99,\"reservation\":{\"budget\":50,\"period\":100}}",
         "1: VM \"a\": its vCPUs reserve more than its \"cap\" of 99 allows"},
        {"1", "{\"reservation\":{\"budget\":50}}", "25: \"reservation\" needs \"period\""},
        {"1", "{\"reservation\":{\"period\":\"1ms\"}}", "25: \"reservation\" needs \"budget\""},
        {"1", "{\"reservation\":{\"budget\":\"2\",\"period\":1}}", "35: \"budget\": '2'" NO_TIME},
        {"1", "{\"reservation\":{\"budget\":\"2 ms\"}}", "35: \"budget\": '2 ms'" NO_TIME},
        {"1", "{\"reservation\":{\"budget\":\"ms\"}}", "35: \"budget\": 'ms'" NO_TIME},
        {"1", "{\"reservation\":{\"budget\":1.5}}", "35: \"budget\": '1.5'" NO_TIME},
        {"1", "{\"reservation\":{\"budget\":9}}",
         "35: \"budget\": '9' is too short (10us at least)"},
        {"1", "{\"reservation\":{\"budget\":18446744073709552}}",
         "35: \"budget\": '18446744073709552' is too long"},
        {"1", "{\"reservation\":{\"budget\":\"18446744074s\"}}",
         "35: \"budget\": '18446744074s' is too long"},
        {"1", "{\"reservation\":{\"period\":99}}",
         "35: \"period\": '99' is not within 100us and 1s"},
        {"1", "{\"reservation\":{\"period\":\"2s\"}}",
         "35: \"period\": '2s' is not within 100us and 1s"},
        {"1", "{\"reservation\":{\"budget\":\"2ms\",\"period\":\"1ms\"}}",
         "25: \"reservation\": the budget is longer than the period"},
    };
    char report[256];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(report, sizeof(report), "vms.json:2:%s\n", wrong[i].report);
        assert_vm_refused(with_sched(wrong[i].vcpus, wrong[i].sched), report);
    }
    assert_vm_refused("{\"autostart\":1}",
                      "vms.json:2:14: \"autostart\": '1' is neither true nor false\n");
}

static void test_strings(void **state)
{
    (void)state;
    assert_accepted(
        "{\"name\":\"\\u0061\",\"memory\":\"2M\",\"linux\":{\"kernel\":\"k\",\"cmdline\":"
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\u00FF\"}}");
    assert_string_equal(vms[0].name, "a");
    assert_string_equal(vms[0].cmdline,
                        "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xbf");
    static const char *const wrong[] = {"\\u0000", "\\ud800", "\\ude00", "\\ud800\\u0041",
                                        "\\ud83dxxxxxx"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[128];
        char report[128];
        snprintf(text, sizeof(text), "{\"linux\":{\"cmdline\":\"%s\"}}", wrong[i]);
        snprintf(report, sizeof(report), "vms.json:2:21: \"cmdline\": '%s' is not a text\n",
                 wrong[i]);
        assert_vm_refused(text, report);
    }
}

static void test_cmdline_length(void **state)
{
    char text[4096];
    char long_text[DESCRIPTION_CMDLINE_SIZE + 1];

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    long_text[DESCRIPTION_CMDLINE_SIZE - 1] = '\0';
    snprintf(text, sizeof(text),
             "{\"name\":\"a\",\"memory\":\"2M\",\"linux\":{\"kernel\":\"k\",\"cmdline\":\"%s\"}}",
             long_text);
    assert_accepted(text);
    assert_string_equal(vms[0].cmdline, long_text);
    long_text[DESCRIPTION_CMDLINE_SIZE - 1] = 'x';
    long_text[DESCRIPTION_CMDLINE_SIZE] = '\0';
    snprintf(text, sizeof(text), "{\"linux\":{\"cmdline\":\"%s\"}}", long_text);
    assert_vm_refused(text, "vms.json:2:21: \"cmdline\": longer than 2047 characters\n");
}

static void test_wrong_vm_is_refused_alone(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"vms\":[{\"name\":\"a\",\"memory\":\"2M\"," IMAGE "},\n"
                           "{\"name\":\"b\",\"memory\":\"abc\"," IMAGE "},\n"
                           "{\"name\":\"a\",\"memory\":\"2M\"," IMAGE "},\n"
                           "{\"name\":\"c\",\"memory\":\"2M\"," IMAGE "}]}"),
                     0);
    assert_string_equal(reports,
                        "vms.json:2:22: \"memory\": 'abc' is not a size (such as \"256M\")\n"
                        "vms.json:3:1: another VM is called \"a\" already\n");
    assert_int_equal(count, 2);
    assert_string_equal(vms[0].name, "a");
    assert_string_equal(vms[1].name, "c");
}

static void test_too_many(void **state)
{
    char text[1024] = "{\"vms\":[";

    (void)state;
    for (unsigned i = 0; i < VMS_MAX + 1; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "%s\n{\"name\":\"v%u\",\"memory\":\"2M\"," IMAGE "}", i > 0 ? "," : "", i);
    }
    strcat(text, "]}");
    assert_int_equal(parse(text), -ENOSPC);
    assert_string_equal(reports, "vms.json:6:1: VM \"v4\" is one too many, 4 are allowed\n");
    assert_int_equal(count, VMS_MAX);
}

static void test_document(void **state)
{
    (void)state;
    assert_int_equal(parse(" {\"vms\" : [ ] } \n"), 0);
    assert_int_equal(count, 0);
    assert_int_equal(report_count, 0);
    assert_refused("[]", "vms.json:1:1: the file must be an object, in {}\n");
    assert_refused("{}", "vms.json:1:1: the file needs \"vms\"\n");
    assert_refused("{\"vms\":{}}", "vms.json:1:8: \"vms\": '{}' is not a list, in []\n");
    assert_refused("{\"vm\":[]}", "vms.json:1:2: unknown key \"vm\"; the file may have: vms\n");
}

static void test_broken_json(void **state)
{
    (void)state;
    assert_refused("", "vms.json:1:1: no JSON: the file is empty\n");
    assert_refused(" \n ", "vms.json:1:1: no JSON: the file is empty\n");
    assert_refused("{\"vms\":[\n{}", "vms.json:1:8: no JSON: this bracket is not closed\n");
    assert_refused("{\"vms\":[}", "vms.json:1:9: no JSON: this is not expected here\n");
    assert_refused("{\"vms\":[]}}", "vms.json:1:11: no JSON: this is not expected here\n");
    assert_refused("{\"vms\":[]} {}",
                   "vms.json:1:12: no JSON: the document is complete before this\n");
    assert_refused("{\"vms\":[]},",
                   "vms.json:1:11: no JSON: the document is complete before this\n");
    assert_refused("{\"vms\":[],}", "vms.json:1:10: no JSON: nothing follows this comma\n");
    assert_refused("{\"vms\":[{},]}", "vms.json:1:11: no JSON: nothing follows this comma\n");
    assert_refused("{\"vms\":[{} {}]}",
                   "vms.json:1:12: no JSON: a comma or the closing bracket is expected here\n");
    assert_refused("{\"vms\":[,{}]}", "vms.json:1:9: no JSON: a value is expected here\n");
    assert_refused("{\"a\":1 \"vms\":[]}",
                   "vms.json:1:8: no JSON: a comma or the closing bracket is expected here\n");
    assert_refused("{\"vms\" []}", "vms.json:1:8: no JSON: this is not expected here\n");
    assert_refused("{\"vms\"}", "vms.json:1:7: no JSON: a colon must follow a key\n");
    assert_refused("{\"vms\":}", "vms.json:1:8: no JSON: a value is expected here\n");
    assert_refused("{\"vms\"::[]}", "vms.json:1:8: no JSON: a value is expected here\n");
    assert_refused("{\"a\":\"b\":[]}",
                   "vms.json:1:9: no JSON: a comma or the closing bracket is expected here\n");
    assert_refused("{[]:1}", "vms.json:1:2: no JSON: this is not expected here\n");
    assert_refused("{1:1}", "vms.json:1:2: no JSON: this is not expected here\n");
    assert_refused("{\"vms\":[]", "vms.json:1:1: no JSON: this bracket is not closed\n");
    assert_refused("{\"vms\n:[]}", "vms.json:1:2: no JSON: this string has no closing quote\n");
    assert_refused("{\"v\\x\":[]}", "vms.json:1:2: no JSON: this string holds an unknown escape\n");
    assert_refused("{\"v\\u00g0\":[]}",
                   "vms.json:1:2: no JSON: this string holds an unknown escape\n");
    assert_refused("{\"vms\":[\"a\nb\"]}",
                   "vms.json:1:11: no JSON: a control character or line end inside a string\n");
    assert_refused("{'vms':[]}", "vms.json:1:2: no JSON: this is not expected here\n");
    static const char *const words[] = {"tru", "nul", "01", "-", "1.", "1e", "1e+", ".5", "--1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        char text[64];
        snprintf(text, sizeof(text), "{\"vms\":[%s]}", words[i]);
        assert_refused(text, words[i][0] == '.'
                                 ? "vms.json:1:9: no JSON: this is not expected here\n"
                                 : "vms.json:1:9: no JSON: neither a number, nor true, false or "
                                   "null\n");
    }
    assert_int_equal(parse_bytes("{\"vms\":\0[]}", 11), -EINVAL);
    assert_string_equal(reports, "vms.json:1:8: no JSON: a NUL character\n");
}

static void test_depth_and_length(void **state)
{
    char deep[64];
    char *longest = malloc(JSON_LENGTH_MAX + 1);

    (void)state;
    memset(deep, '[', 17);
    memset(deep + 17, ']', 17);
    deep[34] = '\0';
    assert_refused(deep, "vms.json:1:17: no JSON: nested too deeply\n");
    assert_non_null(longest);
    memset(longest, ' ', JSON_LENGTH_MAX + 1);
    assert_int_equal(parse_bytes(longest, JSON_LENGTH_MAX + 1), -EINVAL);
    assert_string_equal(reports, "vms.json:1:262145: no JSON: the file is too long\n");
    free(longest);
}

/* Whatever a cut or a changed byte makes of a right file, it ends in reports, never in a crash. */
static void test_mutations(void **state)
{
    static const char text[] =
        "{\"vms\":[{\"name\":\"a\",\"memory\":\"2M\",\"vcpus\":2,\"test-device\":false,"
        "\"autostart\":true,"
        "\"sched\":{\"weight\":7,\"cap\":100,\"cpus\":\"!0,2-3\",\"reservation\":{\"budget\":"
        "\"1ms\","
        "\"period\":9000}},"
        "\"multiboot\":{\"image\":\"i\\u00e9\",\"cmdline\":\"c\",\"modules\":[\"m\",{\"name\":"
        "\"n\"}]}},"
        "{\"name\":\"b\",\"memory\":4194304,\"linux\":{\"kernel\":\"k\",\"initrd\":\"r\"}}]}";
    static const char replacements[] = "{}[],:\"\\0ua \n\x01\x80";
    char changed[sizeof(text)];

    (void)state;
    assert_int_equal(parse(text), 0);
    assert_int_equal(count, 2);
    for (size_t length = 0; length < sizeof(text) - 1; length++) {
        assert_int_equal(parse_bytes(text, length), -EINVAL);
        assert_int_equal(report_count, 1);
        for (size_t i = 0; i < sizeof(replacements); i++) {
            memcpy(changed, text, sizeof(text));
            changed[length] = replacements[i];
            int result = parse_bytes(changed, sizeof(text) - 1);
            assert_true(result == 0 || (result == -EINVAL && report_count == 1));
        }
    }
}

/* What one VM's description alone makes of it; its report is kept. */
static int parse_one(const char *text)
{
    size_t length = strlen(text);
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    reports[0] = '\0';
    report_count = 0;
    int result = description_parse_one("body", copy, length, &vms[0], keep_report, reports);
    free(copy);
    assert_int_equal(report_count, result == 0 ? 0 : 1);
    return result;
}

static void test_one(void **state)
{
    static const char *const right[] = {
        "{\"name\":\"a\",\"memory\":\"16M\",\"linux\":{\"kernel\":\"k\"}}",
        "{\"vms\":[{\"name\":\"a\",\"memory\":\"16M\",\"linux\":{\"kernel\":\"k\"}}]}",
    };
    static const char *const wrong[][2] = {
        {"", "body:1:1: no JSON: "},
        {"[]", "body:1:1: a VM must be an object, in {}"},
        {"{\n \"name\":\"a b\"}", "body:2:9: \"name\": 'a b' is no name"},
        {"{\"vms\":[]}", "body:1:8: \"vms\" has 0 VMs here, where one is wanted"},
        {"{\"vms\":[{},{}]}", "body:1:8: \"vms\" has 2 VMs here, where one is wanted"},
        {"{\"vms\":{}}", "body:1:8: \"vms\": '{}' is not a list, in []"},
        {"{\"vms\":[\n\n7]}", "body:3:1: a VM must be an object, in {}"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        memset(&vms[0], 0xff, sizeof(vms[0]));
        assert_int_equal(parse_one(right[i]), 0);
        assert_string_equal(vms[0].name, "a");
        assert_string_equal(vms[0].image, "k");
    }
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse_one(wrong[i][0]), -EINVAL);
        reports[strlen(wrong[i][1])] = '\0';
        assert_string_equal(reports, wrong[i][1]);
    }
    for (size_t length = 0; length < strlen(right[1]); length++) {
        char cut[128];

        snprintf(cut, sizeof(cut), "%.*s", (int)length, right[1]);
        assert_int_equal(parse_one(cut), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux),
        cmocka_unit_test(test_multiboot),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_sched_defaults),
        cmocka_unit_test(test_sched),
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_sched_refused),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_cmdline_length),
        cmocka_unit_test(test_wrong_vm_is_refused_alone),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_broken_json),
        cmocka_unit_test(test_depth_and_length),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
