#include "guest/description_sched.h"

#include <errno.h>
#include <string.h>

#define NS_PER_US UINT64_C(1000)
/* "0-255,...": room for a list that names each CPU there can be. */
#define CPUS_TEXT_SIZE 1024

void description_default_sched(struct sched_description *sched)
{
    memset(sched, 0, sizeof(*sched));
    sched->weight = DESCRIPTION_WEIGHT_DEFAULT;
    sched->cpus = cpu_mask_first(SCHED_CPUS_MAX);
}

static int read_weight(struct json_reader *reader, const struct json_field *field, json_value value,
                       void *out)
{
    uint64_t number;
    int error = json_read_number(reader, field, value, DESCRIPTION_WEIGHT_MIN,
                                 DESCRIPTION_WEIGHT_MAX, &number);

    if (error == 0) {
        *(uint32_t *)out = (uint32_t)number;
    }
    return error;
}

/* Whether it is too much for this VM is seen when its vCPUs are known. */
static int read_cap(struct json_reader *reader, const struct json_field *field, json_value value,
                    void *out)
{
    uint64_t number;
    int error =
        json_read_number(reader, field, value, 1,
                         (uint64_t)DESCRIPTION_CAP_PERCENT_MAX * DESCRIPTION_VCPUS_MAX, &number);

    if (error == 0) {
        *(uint32_t *)out = (uint32_t)number;
    }
    return error;
}

/* Digits from *text on; moves it past them. -EINVAL if there is none, -ERANGE. */
static int take_number(const char **text, uint64_t *out)
{
    const char *c = *text;

    *out = 0;
    for (; *c >= '0' && *c <= '9'; c++) {
        if (__builtin_mul_overflow(*out, 10u, out) ||
            __builtin_add_overflow(*out, (uint64_t)(*c - '0'), out)) {
            return -ERANGE;
        }
    }
    if (c == *text) {
        return -EINVAL;
    }
    *text = c;
    return 0;
}

/* Digits and one of us, ms, s, in ns. */
static int parse_time(const char *text, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    uint64_t number;
    int error = take_number(&text, &number);

    if (error != 0) {
        return error;
    }
    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].name) == 0) {
            return __builtin_mul_overflow(number, units[i].ns, out) ? -ERANGE : 0;
        }
    }
    return -EINVAL;
}

/* A time with its unit, or a number of microseconds. */
static int read_time(struct json_reader *reader, const struct json_field *field, json_value value,
                     void *out)
{
    uint64_t *ns = out;
    char text[24];
    int error;

    if (json_type(&reader->json, value) == JSMN_STRING) {
        error = json_string(&reader->json, value, text, sizeof(text)) < 0 ? -EINVAL
                                                                          : parse_time(text, ns);
    } else {
        error = json_unsigned(&reader->json, value, ns);
        if (error == 0 && __builtin_mul_overflow(*ns, NS_PER_US, ns)) {
            error = -ERANGE;
        }
    }
    if (error == -EINVAL) {
        return json_refuse(reader, field, value,
                           "is not a time (such as \"500us\", \"2ms\" or microseconds)");
    }
    return error == 0 ? 0 : json_refuse(reader, field, value, "is too long");
}

static int read_budget(struct json_reader *reader, const struct json_field *field, json_value value,
                       void *out)
{
    const uint64_t *ns = out;
    int error = read_time(reader, field, value, out);

    return error == 0 && *ns < DESCRIPTION_BUDGET_MIN
               ? json_refuse(reader, field, value, "is too short (10us at least)")
               : error;
}

static int read_period(struct json_reader *reader, const struct json_field *field, json_value value,
                       void *out)
{
    const uint64_t *ns = out;
    int error = read_time(reader, field, value, out);

    return error == 0 && (*ns < DESCRIPTION_PERIOD_MIN || *ns > DESCRIPTION_PERIOD_MAX)
               ? json_refuse(reader, field, value, "is not within 100us and 1s")
               : error;
}

static int read_reservation(struct json_reader *reader, const struct json_field *field,
                            json_value value, void *out)
{
    static const struct json_field fields[] = {
        {"budget", read_budget, offsetof(struct sched_description, budget), 0, true},
        {"period", read_period, offsetof(struct sched_description, period), 0, true},
    };
    const struct sched_description *sched = out;
    unsigned present;
    int error = json_read_object(reader, "\"reservation\"", fields, 2, value, out, &present);

    if (error == 0 && sched->budget > sched->period) {
        return json_report(reader, json_offset(&reader->json, value),
                           "\"%s\": the budget is longer than the period", field->key);
    }
    return error;
}

static void set_cpus(struct cpu_mask *cpus, uint64_t first, uint64_t last, bool in)
{
    for (uint64_t cpu = first; cpu <= last; cpu++) {
        uint64_t bit = UINT64_C(1) << cpu % 64;

        cpus->words[cpu / 64] = in ? cpus->words[cpu / 64] | bit : cpus->words[cpu / 64] & ~bit;
    }
}

/* "0-1,3": these; "!0,2": all but these. 0, -EINVAL, or -ERANGE for a CPU that cannot be. */
static int parse_cpus(const char *text, struct cpu_mask *cpus)
{
    bool exclude = *text == '!';

    *cpus = cpu_mask_first(exclude ? SCHED_CPUS_MAX : 0);
    text += exclude;
    for (;;) {
        uint64_t first;
        uint64_t last;
        int error = take_number(&text, &first);

        last = first;
        if (error == 0 && *text == '-') {
            text++;
            error = take_number(&text, &last);
        }
        if (error != 0) {
            return error;
        }
        if (last >= SCHED_CPUS_MAX || first >= SCHED_CPUS_MAX) {
            return -ERANGE;
        }
        if (last < first) {
            return -EINVAL;
        }
        set_cpus(cpus, first, last, !exclude);
        if (*text == '\0') {
            return 0;
        }
        if (*text++ != ',') {
            return -EINVAL;
        }
    }
}

static int read_cpu_list(struct json_reader *reader, const struct json_field *field,
                         json_value value, struct cpu_mask *cpus)
{
    const struct json *json = &reader->json;
    json_value element = value + 1;

    *cpus = cpu_mask_first(0);
    for (unsigned i = 0; i < json_size(json, value); i++) {
        uint64_t cpu;
        int error = json_read_number(reader, field, element, 0, SCHED_CPUS_MAX - 1, &cpu);

        if (error != 0) {
            return error;
        }
        set_cpus(cpus, cpu, cpu, true);
        element = json_next(json, element);
    }
    return 0;
}

static int read_cpus(struct json_reader *reader, const struct json_field *field, json_value value,
                     void *out)
{
    const struct cpu_mask all = cpu_mask_first(SCHED_CPUS_MAX);
    struct cpu_mask *cpus = out;
    char text[CPUS_TEXT_SIZE];
    int error;

    if (json_type(&reader->json, value) == JSMN_ARRAY) {
        error = read_cpu_list(reader, field, value, cpus);
        if (error != 0) {
            return error;
        }
    } else {
        error = json_string(&reader->json, value, text, sizeof(text)) < 0 ? -EINVAL
                                                                          : parse_cpus(text, cpus);
    }
    if (error == -EINVAL) {
        return json_refuse(reader, field, value,
                           "is not a list of CPUs (such as \"0-1,3\", \"!0\" or [0, 1])");
    }
    if (error != 0) {
        return json_report(reader, json_offset(&reader->json, value),
                           "\"%s\": CPUs are numbered 0 to %u", field->key, SCHED_CPUS_MAX - 1);
    }
    return cpu_mask_meets(cpus, &all) ? 0 : json_refuse(reader, field, value, "leaves no CPU");
}

int description_read_sched(struct json_reader *reader, const struct json_field *field,
                           json_value value, void *out)
{
    static const struct json_field fields[] = {
        {"weight", read_weight, offsetof(struct sched_description, weight), 0, false},
        {"cap", read_cap, offsetof(struct sched_description, cap), 0, false},
        {"reservation", read_reservation, 0, 0, false},
        {"cpus", read_cpus, offsetof(struct sched_description, cpus), 0, false},
    };
    unsigned present;

    (void)field;
    return json_read_object(reader, "\"sched\"", fields, 4, value, out, &present);
}
