/* What Prometheus is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/http/server.h"
#include "manage/machine.h"
#include "manage/metrics/exits.h"
#include "manage/metrics/metrics.h"
#include "manage/metrics/text.h"
#include "manage/syslog/syslog.h"
#include "tests/unit/support/cmocka.h"

#define NAME_SIZE 128

/* The answer, as the server would have it. */

struct http_answer {
    char body[1024 * 1024];
    size_t length;
    unsigned status;
    char content_type[80];
};

static struct http_answer answer;

void http_status(struct http_answer *to, unsigned status)
{
    to->status = status;
}

void http_add_field(struct http_answer *to, const char *name, const char *value)
{
    assert_string_equal(name, "Content-Type");
    snprintf(to->content_type, sizeof(to->content_type), "%s", value);
}

char *http_extend(struct http_answer *to, size_t length)
{
    assert_true(to->length + length < sizeof(to->body));
    to->length += length;
    to->body[to->length] = '\0';
    return to->body + to->length - length;
}

void http_shorten(struct http_answer *to, size_t length)
{
    assert_true(length <= to->length);
    to->length -= length;
    to->body[to->length] = '\0';
}

void http_write(struct http_answer *to, const void *bytes, size_t length)
{
    memcpy(http_extend(to, length), bytes, length);
}

void http_clear_body(struct http_answer *to)
{
    to->length = 0;
}

uint64_t http_server_answers(unsigned status)
{
    assert_in_range(status, HTTP_STATUS_MIN, HTTP_STATUS_MAX - 1);
    return status == 200 ? 17 : status == 599;
}

unsigned http_server_connections(void)
{
    return 5;
}

unsigned http_server_streams(void)
{
    return 2;
}

void access_count(uint64_t now, struct access_counters *counters)
{
    assert_int_equal(now, 99);
    *counters = (struct access_counters){.wrong = 3, .too_many = 4, .sessions = 2};
}

static bool has_syslog;

bool syslog_count(struct syslog_counters *counters)
{
    *counters = (struct syslog_counters){.sent = 1000, .lost = 1};
    return has_syslog;
}

/* The machine. */

static unsigned vm_count;
static struct machine_vm vms[3];
static struct machine_host host;
static struct exit_statistics exits[3][VM_EXIT_KINDS];

static unsigned get_vm_count(void)
{
    return vm_count;
}

static bool get_vm(unsigned index, struct machine_vm *vm)
{
    if (index < vm_count) {
        *vm = vms[index];
    }
    return index < vm_count;
}

static bool get_exits(const char *name, struct exit_statistics to[static VM_EXIT_KINDS])
{
    for (unsigned i = 0; i < vm_count; i++) {
        if (strcmp(vms[i].description.name, name) == 0) {
            memcpy(to, exits[i], sizeof(exits[i]));
            return true;
        }
    }
    return false;
}

static void get_host(struct machine_host *to)
{
    *to = host;
}

static bool get_cpu(unsigned index, struct machine_cpu *cpu)
{
    cpu->busy_time = 1500000000 + index;
    return index < host.cpus;
}

const struct machine *machine(void)
{
    static const struct machine this = {.vm_count = get_vm_count,
                                        .vm = get_vm,
                                        .exits = get_exits,
                                        .host = get_host,
                                        .cpu = get_cpu};

    return &this;
}

static int init(void **state)
{
    (void)state;
    memset(&answer, 0, sizeof(answer));
    memset(vms, 0, sizeof(vms));
    memset(exits, 0, sizeof(exits));
    vm_count = 0;
    has_syslog = true;
    host = (struct machine_host){.version = "1.2",
                                 .loader = "a \"boot\\loader\"\nof two lines",
                                 .cpu_name = "CPU",
                                 .cpus = 2,
                                 .tsc_hz = 2000000000,
                                 .memory = 1 << 30,
                                 .memory_free = 1 << 29,
                                 .heap_used = 12345,
                                 .uptime = 61000000000,
                                 .wall_clock = UINT64_C(1700000061000000000),
                                 .vmx = true};
    host.network.name = "82540EM";
    snprintf(host.network.ipv4, sizeof(host.network.ipv4), "10.0.2.15/24");
    host.network.counters.received_bytes = UINT64_MAX;
    return 0;
}

static void add_vm(const char *name, enum machine_vm_state state, unsigned vcpus)
{
    struct machine_vm *vm = &vms[vm_count++];

    snprintf(vm->description.name, sizeof(vm->description.name), "%s", name);
    vm->description.vcpus = vcpus;
    vm->description.memory = 256 << 20;
    vm->state = state;
    vm->steal_time = 2500000;
    for (unsigned i = 0; i < vcpus; i++) {
        vm->vcpus[i].run_time = 1000000000 * (i + UINT64_C(1)) + 5;
        vm->vcpus[i].exits = 10 + i;
    }
}

static void ask(void)
{
    struct http_request request = {.path = "/metrics", .now = 99};

    metrics_routes[0].handle(&request, &answer);
    assert_string_equal(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
}

static void has(const char *line)
{
    char wanted[256];

    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    if (!strstr(answer.body, wanted)) {
        fail_msg("not there: %s\n%s", line, answer.body);
    }
}

/* The format, as strictly as it is defined. */

static bool is_name_character(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static const char *skip_name(const char *at, char name[NAME_SIZE])
{
    size_t length = 0;

    while (is_name_character(at[length], length == 0)) {
        assert_true(length < NAME_SIZE - 1);
        name[length] = at[length];
        length++;
    }
    assert_true(length > 0);
    name[length] = '\0';
    return at + length;
}

static const char *skip_labels(const char *at)
{
    char name[NAME_SIZE];

    if (*at != '{') {
        return at;
    }
    do {
        at = skip_name(at + 1, name);
        assert_int_equal(at[0], '=');
        assert_int_equal(at[1], '"');
        for (at += 2; *at != '"'; at++) {
            assert_true(*at != '\n' && *at != '\0');
            if (*at == '\\') {
                at++;
                assert_true(*at == '\\' || *at == '"' || *at == 'n');
            }
        }
        at++;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

struct family {
    char name[NAME_SIZE];
    char type[NAME_SIZE];
};

static struct family families[100];
static unsigned family_count;
static unsigned long last_bucket;

static const char *read_header(const char *line)
{
    struct family *family = &families[family_count++];
    char name[NAME_SIZE];

    assert_memory_equal(line, "# HELP ", 7);
    line = skip_name(line + 7, family->name);
    assert_int_equal(*line, ' ');
    for (unsigned i = 0; i < family_count - 1; i++) {
        assert_string_not_equal(families[i].name, family->name);
    }
    line = strchr(line, '\n') + 1;
    assert_memory_equal(line, "# TYPE ", 7);
    line = skip_name(line + 7, name);
    assert_string_equal(name, family->name);
    line = skip_name(line + 1, family->type);
    assert_int_equal(*line, '\n');
    if (strcmp(family->type, "counter") == 0) {
        assert_string_equal(name + strlen(name) - 6, "_total");
    } else {
        assert_null(strstr(name, "_total"));
    }
    return line + 1;
}

static void check_bucket(const char *suffix, const char *labels, unsigned long value)
{
    if (strcmp(suffix, "_bucket") == 0) {
        assert_non_null(strstr(labels, "le=\""));
        if (strstr(labels, "le=\"0.0000005\"")) {
            last_bucket = 0;
        }
        assert_true(value >= last_bucket);
        last_bucket = value;
    } else if (strcmp(suffix, "_count") == 0) {
        assert_int_equal(value, last_bucket); /* that of +Inf */
    } else {
        assert_string_equal(suffix, "_sum");
    }
}

static const char *read_sample(const char *line)
{
    const struct family *family = &families[family_count - 1];
    char name[NAME_SIZE];
    const char *labels = skip_name(line, name);
    const char *at = skip_labels(labels);
    char *end;
    char label_text[512];

    assert_memory_equal(name, family->name, strlen(family->name));
    assert_int_equal(*at, ' ');
    assert_true(at[1] >= '0' && at[1] <= '9');
    (void)strtod(at + 1, &end);
    assert_int_equal(*end, '\n');
    snprintf(label_text, sizeof(label_text), "%.*s", (int)(at - labels), labels);
    if (strcmp(family->type, "histogram") == 0) {
        check_bucket(name + strlen(family->name), label_text, strtoul(at + 1, NULL, 10));
    } else {
        assert_string_equal(name, family->name);
    }
    return end + 1;
}

static void check_format(void)
{
    const char *at = answer.body;

    family_count = 0;
    while (*at) {
        at = *at == '#' ? read_header(at) : read_sample(at);
    }
    assert_true(family_count > 15);
}

static void test_host(void **state)
{
    (void)state;
    ask();
    check_format();
    has("innkeeper_build_info{version=\"1.2\",loader=\"a \\\"boot\\\\loader\\\"\\nof two lines\","
        "cpu=\"CPU\"} 1");
    has("innkeeper_uptime_seconds 61");
    has("innkeeper_boot_time_seconds 1700000000");
    has("innkeeper_cpu_busy_seconds_total{cpu=\"0\"} 1.5");
    has("innkeeper_cpu_busy_seconds_total{cpu=\"1\"} 1.500000001");
    has("innkeeper_memory_bytes 1073741824");
    has("innkeeper_network_receive_bytes_total 18446744073709551615");
    has("innkeeper_network_receive_lost_total{reason=\"ring_full\"} 0");
    has("innkeeper_network_info{chip=\"82540EM\",mac=\"00:00:00:00:00:00\",address=\"10.0.2.15/"
        "24\"} "
        "1");
    has("innkeeper_http_answers_total{code=\"200\"} 17");
    has("innkeeper_http_answers_total{code=\"599\"} 1");
    assert_null(strstr(answer.body, "code=\"404\""));
    has("innkeeper_http_connections 5");
    has("innkeeper_http_streams 2");
    has("innkeeper_access_failures_total 3");
    has("innkeeper_access_refusals_total 4");
    has("innkeeper_access_sessions 2");
    has("innkeeper_syslog_messages_total 1000");
    has("innkeeper_syslog_lost_total 1");
    has("innkeeper_vms 0");
}

static void test_missing(void **state)
{
    (void)state;
    host.wall_clock = host.uptime;
    host.network.name = NULL;
    has_syslog = false;
    ask();
    check_format();
    assert_null(strstr(answer.body, "boot_time"));
    assert_null(strstr(answer.body, "network"));
    assert_null(strstr(answer.body, "syslog"));
}

static void test_vms(void **state)
{
    (void)state;
    add_vm("linux", MACHINE_RUNNING, 2);
    add_vm("other", MACHINE_STOPPED, 1);
    exits[0][VM_EXIT_IO].count = 16;
    exits[0][VM_EXIT_IO].ticks_log2[9] = 10; /* 256 to 512 ns */
    exits[0][VM_EXIT_IO].ticks_log2[10] = 5;
    exits[0][VM_EXIT_IO].ticks_log2[31] = 1;
    ask();
    check_format();
    has("innkeeper_vms 2");
    has("innkeeper_vm_state{vm=\"linux\",state=\"running\"} 1");
    has("innkeeper_vm_state{vm=\"linux\",state=\"paused\"} 0");
    has("innkeeper_vm_state{vm=\"other\",state=\"stopped\"} 1");
    has("innkeeper_vm_memory_bytes{vm=\"other\"} 268435456");
    has("innkeeper_vm_steal_seconds_total{vm=\"linux\"} 0.0025");
    has("innkeeper_vcpu_cpu_seconds_total{vm=\"linux\",vcpu=\"1\"} 2.000000005");
    has("innkeeper_vcpu_exits_total{vm=\"linux\",vcpu=\"1\"} 11");
    assert_null(strstr(answer.body, "vm=\"other\",vcpu=\"1\""));
    has("innkeeper_vm_exits_total{vm=\"linux\",reason=\"io\"} 16");
    has("innkeeper_vm_exit_duration_seconds_bucket{vm=\"linux\",reason=\"io\",le=\"0.0000005\"} 0");
    has("innkeeper_vm_exit_duration_seconds_bucket{vm=\"linux\",reason=\"io\",le=\"0.000001\"} 10");
    has("innkeeper_vm_exit_duration_seconds_bucket{vm=\"linux\",reason=\"io\",le=\"0.000002\"} 15");
    has("innkeeper_vm_exit_duration_seconds_bucket{vm=\"linux\",reason=\"io\",le=\"0.01\"} 15");
    has("innkeeper_vm_exit_duration_seconds_bucket{vm=\"linux\",reason=\"io\",le=\"+Inf\"} 16");
    has("innkeeper_vm_exit_duration_seconds_count{vm=\"linux\",reason=\"io\"} 16");
    assert_null(strstr(answer.body, "reason=\"cpuid\""));
}

/* Many VMs with everything are told in a bounded text. */
static void test_all_reasons(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        char name[8];

        snprintf(name, sizeof(name), "vm%u", i);
        add_vm(name, MACHINE_RUNNING, DESCRIPTION_VCPUS_MAX);
        for (unsigned kind = 0; kind < VM_EXIT_KINDS; kind++) {
            exits[i][kind].count = kind + 1;
            exits[i][kind].ticks_log2[kind % VIRT_TICKS_BUCKETS] = kind + 1;
        }
    }
    ask();
    check_format();
}

static void test_histogram(void **state)
{
    struct exit_statistics from = {0};
    struct exits_histogram to;
    uint64_t all = 0;

    (void)state;
    for (unsigned i = 0; i < VIRT_TICKS_BUCKETS; i++) {
        from.ticks_log2[i] = i + 1;
        all += i + 1;
    }
    /* A tick is a ns: below 2^8 in 500 ns, below 2^9 = 512 no more. */
    exits_histogram(&from, 1000000000, &to);
    assert_int_equal(to.below[0], 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8);
    assert_int_equal(to.below[1], to.below[0] + 9);
    assert_int_equal(to.below[EXITS_BOUNDS - 1], 23 * 24 / 2); /* 2^23 < 10 ms < 2^24 */
    /* What took longest is not below anything, however fast the TSC. */
    exits_histogram(&from, UINT64_C(1000000000000000), &to);
    assert_int_equal(to.below[EXITS_BOUNDS - 1], all - 32);
    memset(&from, 0, sizeof(from));
    from.ticks_log2[10] = 4;
    exits_histogram(&from, 1000000000, &to);
    assert_int_equal(to.sum, 4 * 1536);
}

static void test_seconds(void **state)
{
    char text[DECIMAL_SIZE];

    (void)state;
    assert_string_equal(metrics_write_seconds(text, 0), "0");
    assert_string_equal(metrics_write_seconds(text, 10000000000), "10");
    assert_string_equal(metrics_write_seconds(text, 10000000010), "10.00000001");
    assert_string_equal(metrics_write_seconds(text, UINT64_MAX), "18446744073.709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_host, init), cmocka_unit_test_setup(test_missing, init),
        cmocka_unit_test_setup(test_vms, init),  cmocka_unit_test_setup(test_all_reasons, init),
        cmocka_unit_test(test_histogram),        cmocka_unit_test(test_seconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
