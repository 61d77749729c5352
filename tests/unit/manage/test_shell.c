/* manage/shell*.c: commands and what they answer, on a machine that is made up. */
#include "manage/shell.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/manage/fake_machine.h"
#include "tests/unit/support/cmocka.h"

#define MS UINT64_C(1000000)

static struct shell shell;
static char answer[65536];

static int setup(void **state)
{
    (void)state;
    fake_init();
    shell_init(&shell, &fake_shell_machine);
    return 0;
}

static void type(const char *keys)
{
    for (; *keys != '\0'; keys++) {
        assert_int_equal(shell_key(&shell, (uint8_t)*keys), LINE_CHANGED);
    }
}

/* The rows that are due, each with a line end. Only the log's may be longer than the screen. */
static const char *rows(void)
{
    char row[SHELL_ROW_SIZE];
    size_t used = 0;

    answer[0] = '\0';
    while (shell_due(&shell) <= fake.now && shell_row(&shell, row)) {
        assert_true(used + strlen(row) + 2 < sizeof(answer));
        used += (size_t)sprintf(answer + used, "%s\n", row);
    }
    return answer;
}

static const char *run(const char *line)
{
    line_editor_next(&shell.editor, false);
    type(line);
    shell_run(&shell);
    assert_int_equal(shell.editor.length, 0);
    return rows();
}

static void assert_fits(const char *text)
{
    size_t column = 0;

    for (; *text != '\0'; text++) {
        column = *text == '\n' ? 0 : column + 1;
        assert_true(column <= SHELL_COLUMNS);
    }
}

static void help_lists_every_command(void **state)
{
    static const char *const commands[] = {"help",   "net",      "vms",      "vcpus",  "exits",
                                           "top",    "log",      "attach",   "define", "start",
                                           "pause",  "resume",   "reset",    "stop",   "kill",
                                           "delete", "password", "poweroff", "reboot"};

    (void)state;
    run("help");
    assert_fits(answer);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        char line[32];

        snprintf(line, sizeof(line), "\n%s ", commands[i]);
        assert_true(i == 0 ? strncmp(answer, "help ", 5) == 0 : strstr(answer, line) != NULL);
    }
    assert_string_equal(run("help kill"), "kill NAME: cuts its power\n");
    assert_string_equal(run("help vms"), "vms: the VMs: number, state, CPU time and exits\n");
    assert_string_equal(run("help  x "), "shell: there is no command \"x\"; \"help\" lists them\n");
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    assert_string_equal(run(""), "");
    assert_string_equal(run("   "), "");
    assert_string_equal(run("vm"), "shell: there is no command \"vm\"; \"help\" lists them\n");
    assert_string_equal(run("VMS"), "shell: there is no command \"VMS\"; \"help\" lists them\n");
    assert_string_equal(run("kill"), "shell: this is used so: kill NAME\n");
    assert_string_equal(run("kill a b"), "shell: this is used so: kill NAME\n");
    assert_string_equal(run("vms a"), "shell: this is used so: vms\n");
    assert_string_equal(run("1 2 3 4 5 6 7 8 9 10"),
                        "shell: there is no command \"1\"; \"help\" lists them\n");
    assert_string_equal(run("start x"), "shell: no VM is called \"x\"; there is none\n");
    fake_add("a", 1);
    fake_add("b", 1);
    assert_string_equal(run("start x"), "shell: no VM is called \"x\"; there are: a, b\n");
    assert_string_equal(run("vcpus x"), "shell: no VM is called \"x\"; there are: a, b\n");
    assert_string_equal(run("exits x"), "shell: no VM is called \"x\"; there are: a, b\n");
    assert_int_equal(fake.acted, -1);
}

static void many_names_are_cut(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FAKE_VMS; i++) {
        char name[SHELL_NAME_SIZE];

        snprintf(name, sizeof(name), "a-virtual-machine-%u", i);
        fake_add(name, 1);
    }
    run("kill x");
    assert_true(strlen(answer) < SHELL_ROW_SIZE);
    assert_non_null(strstr(answer, "a-virtual-machine-0, a-virtual-machine-1, "));
    assert_string_equal(answer + strlen(answer) - 6, ", ...\n");
}

static void actions_are_done(void **state)
{
    static const struct {
        const char *line;
        int action;
        const char *answer;
    } actions[] = {
        {"define linux", SHELL_DEFINE, "linux: defined\n"},
        {"start linux", SHELL_START, "linux: started\n"},
        {"pause linux", SHELL_PAUSE, "linux: paused\n"},
        {"resume linux", SHELL_RESUME, "linux: resumed\n"},
        {"reset linux", SHELL_RESET, "linux: reset\n"},
        {"stop linux", SHELL_STOP, "linux: power button pressed\n"},
        {"kill linux", SHELL_KILL, "linux: killed\n"},
        {"delete linux", SHELL_DELETE, "linux: deleted\n"},
        {"attach linux", SHELL_ATTACH, ""},
    };

    (void)state;
    fake_add("linux", 1);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        assert_string_equal(run(actions[i].line), actions[i].answer);
        assert_int_equal(fake.acted, actions[i].action);
        assert_string_equal(fake.acted_on, "linux");
    }
    /* Of an account, which is no VM. */
    assert_string_equal(run("password admin"), "admin: a new password is made\n");
    assert_int_equal(fake.acted, SHELL_PASSWORD);
    assert_string_equal(fake.acted_on, "admin");
    assert_string_equal(run("poweroff"), "");
    assert_int_equal(fake.acted, SHELL_POWER_OFF);
    assert_string_equal(fake.acted_on, "");
    assert_string_equal(run("reboot"), "");
    assert_int_equal(fake.acted, SHELL_REBOOT);
    fake.refusal = "it does not run";
    assert_string_equal(run("pause linux"), "shell: pause linux: it does not run\n");
    assert_string_equal(run("poweroff"), "shell: poweroff: it does not run\n");
}

static void vms_are_listed(void **state)
{
    struct fake_vm *vm;

    (void)state;
    vm = fake_add("linux", 2);
    vm->vm.memory = UINT64_C(256) << 20;
    vm->vm.run_time = 12345 * MS;
    vm->vm.exits = 4711;
    vm = fake_add("1234567890123456789012345678901", 16);
    vm->vm.state = "stopped";
    vm->vm.memory = UINT64_C(1) << 40;
    vm->vm.run_time = 9999999999 * MS;
    vm->vm.exits = UINT64_MAX;
    assert_string_equal(
        run("vms"),
        " # NAME                            STATE    VCPUS    MEMORY    CPU TIME  EXITS\n"
        " 1 linux                           running      2   256 MiB    12.345 s   4711\n"
        " 2 1234567890123456789012345678901 stopped     16 1048K MiB 9999999.999 s 18446P\n");
    assert_fits(answer);
}

static void vcpus_are_listed(void **state)
{
    struct fake_vm *vm;

    (void)state;
    vm = fake_add("a", 2);
    vm->vcpus[1] = (struct shell_vcpu){"runs", 3, 1500 * MS, 99};
    fake_add("b", 1)->vcpus[0].cpu = -1;
    assert_string_equal(run("vcpus"),
                        "NAME                            VCPU STATE     CPU    CPU TIME  EXITS\n"
                        "a                                  0 waits       0     0.000 s      0\n"
                        "a                                  1 runs        3     1.500 s     99\n"
                        "b                                  0 waits       -     0.000 s      0\n");
    assert_string_equal(run("vcpus b"),
                        "NAME                            VCPU STATE     CPU    CPU TIME  EXITS\n"
                        "b                                  0 waits       -     0.000 s      0\n");
}

static void exits_are_listed(void **state)
{
    struct fake_vm *vm;

    (void)state;
    fake_add("other", 1);
    vm = fake_add("a", 1);
    vm->exits[0].count = 900;
    vm->exits[0].ticks_log2[7] = 450;
    vm->exits[0].ticks_log2[8] = 360;
    vm->exits[0].ticks_log2[31] = 90;
    vm->exits[3].count = 100;
    vm->exits[3].ticks_log2[0] = 100;
    assert_string_equal(
        run("exits a"),
        "REASON                      EXITS   SHARE   ticks:   50% <    90% <    ALL <\n"
        "io                            900   90.0%              256      512       4G\n"
        "task_switch                   100   10.0%                2        2        2\n");
    assert_fits(answer);
    assert_string_equal(run("exits a io"),
                        "TICKS                 EXITS\n"
                        "  128 to 256            450 ########################################\n"
                        "  256 to 512            360 ################################\n"
                        "  512 to 1K               0 \n"
                        "   1K to 2K               0 \n"
                        "   2K to 4K               0 \n"
                        "   4K to 8K               0 \n"
                        "   8K to 16K              0 \n"
                        "  16K to 32K              0 \n"
                        "  32K to 64K              0 \n"
                        "  64K to 128K             0 \n"
                        " 128K to 256K             0 \n"
                        " 256K to 512K             0 \n"
                        " 512K to 1M               0 \n"
                        "   1M to 2M               0 \n"
                        "   2M to 4M               0 \n"
                        "   4M to 8M               0 \n"
                        "   8M to 16M              0 \n"
                        "  16M to 32M              0 \n"
                        "  32M to 64M              0 \n"
                        "  64M to 128M             0 \n"
                        " 128M to 256M             0 \n"
                        " 256M to 512M             0 \n"
                        " 512M to 1G               0 \n"
                        "   1G to 2G               0 \n"
                        "   2G to 4G              90 ########\n");
    assert_string_equal(run("exits a cpuid"), "TICKS                 EXITS\n");
    assert_string_equal(run("exits a xyz"),
                        "shell: there is no exit reason \"xyz\"; \"exits a\" lists them\n");
    assert_string_equal(
        run("exits other"),
        "REASON                      EXITS   SHARE   ticks:   50% <    90% <    ALL <\n");
}

static void the_network_is_shown(void **state)
{
    (void)state;
    assert_string_equal(run("net"), "network row 1\nnetwork row 2\n");
}

static void the_log_is_shown(void **state)
{
    (void)state;
    assert_string_equal(run("log"), "");
    fake.log_lines = 3;
    assert_string_equal(run("log"), "line 1\nline 2\nline 3\n");
    fake.log_lines = 30;
    assert_string_equal(run("log 2"), "line 29\nline 30\n");
    assert_string_equal(run("log 0"), "");
    run("log");
    assert_true(strncmp(answer, "line 11\n", 8) == 0);
    run("log 100000");
    assert_true(strncmp(answer, "line 1\n", 7) == 0);
    assert_string_equal(run("log 100001"), "shell: \"100001\" is not a number of lines\n");
    assert_string_equal(run("log -1"), "shell: \"-1\" is not a number of lines\n");
    assert_string_equal(run("log 1x"), "shell: \"1x\" is not a number of lines\n");
}

static void top_shows_what_was_used_meanwhile(void **state)
{
    struct fake_vm *a, *b;

    (void)state;
    fake.cpu_count = 2;
    fake.now = 5000 * MS;
    a = fake_add("a", 2);
    a->vcpus[0].run_time = 400000 * MS;
    fake_remove(0);
    a = fake_add("a", 2);
    b = fake_add("b", 1);
    b->vm.vcpus = 2; /* the second is on no CPU */
    b->vcpus[1] = (struct shell_vcpu){"stopped", -1, 0, 0};
    a->vcpus[0].run_time = 700 * MS;
    assert_string_equal(run("top"), "A table comes every second, until a key is pressed.\n");
    assert_true(shell_waits_for_key(&shell));
    assert_true(shell_due(&shell) == 6000 * MS);
    assert_string_equal(rows(), "");
    fake.now = 7000 * MS; /* late */
    a->vcpus[0].run_time += 500 * MS;
    a->vcpus[1].run_time += 1 * MS;
    b->vcpus[0].run_time += 2100 * MS;
    b->vcpus[0].state = "runs";
    fake.busy[0] = 2000 * MS;
    fake.busy[1] = 500 * MS;
    assert_string_equal(rows(), "CPU          0       1\n"
                                "busy    100.0%   25.0%\n"
                                "NAME                            VCPU STATE     CPU     USE\n"
                                "b                                  0 runs        0  100.0%\n"
                                "a                                  0 waits       0   25.0%\n"
                                "a                                  1 waits       1    0.1%\n"
                                "\n");
    assert_true(shell_due(&shell) == 8000 * MS);
    /* The first VM goes, a new one comes; a VM that was started again counts anew. */
    fake_remove(0);
    b = &fake.vms[0];
    fake_add("c", 1)->vcpus[0].run_time = 300 * MS;
    b->vcpus[0].run_time = 100 * MS;
    fake.now = 8000 * MS;
    assert_string_equal(rows(), "CPU          0       1\n"
                                "busy      0.0%    0.0%\n"
                                "NAME                            VCPU STATE     CPU     USE\n"
                                "c                                  0 waits       0   30.0%\n"
                                "b                                  0 runs        0   10.0%\n"
                                "\n");
    shell_interrupt(&shell);
    assert_true(shell_due(&shell) == UINT64_MAX);
    assert_false(shell_waits_for_key(&shell));
}

static void top_shows_the_busiest_of_many(void **state)
{
    unsigned lines = 0;

    (void)state;
    fake.cpu_count = SHELL_TOP_CPUS;
    for (unsigned i = 0; i < FAKE_VMS; i++) {
        char name[SHELL_NAME_SIZE];

        snprintf(name, sizeof(name), "vm%u", i);
        fake_add(name, FAKE_VCPUS);
    }
    run("top");
    fake.now = SHELL_TOP_NS;
    for (unsigned i = 0; i < FAKE_VMS; i++) {
        fake.vms[i].vcpus[3].run_time = i * MS;
    }
    rows();
    assert_fits(answer);
    for (const char *c = answer; (c = strchr(c, '\n')) != NULL; c++) {
        lines++;
    }
    assert_int_equal(lines, SHELL_TOP_CPUS / 8 * 2 + 1 + SHELL_TOP_SHOWN + 1);
    /* The first 1,024 vCPUs are followed: those of 32 VMs. */
    assert_non_null(strstr(answer, "USE\nvm31 "));
    assert_null(strstr(answer, "vm32 "));
    assert_non_null(strstr(answer, "vm16 "));
    assert_null(strstr(answer, "vm15 "));
}

static void words_are_completed(void **state)
{
    (void)state;
    fake_add("linux", 1);
    fake_add("linux-two", 1);
    type("vm");
    shell_complete(&shell);
    assert_string_equal(shell.editor.text, "vms ");
    shell_complete(&shell);
    assert_string_equal(shell.editor.text, "vms ");
    assert_string_equal(rows(), "");
    line_editor_next(&shell.editor, false);
    type("re");
    shell_complete(&shell);
    assert_string_equal(shell.editor.text, "re");
    assert_string_equal(rows(), "resume  reset  reboot\n");
    type("set l");
    shell_complete(&shell);
    assert_string_equal(shell.editor.text, "reset linux");
    assert_string_equal(rows(), "");
    shell_complete(&shell);
    assert_string_equal(rows(), "linux  linux-two\n");
    type("-");
    shell_complete(&shell);
    assert_string_equal(shell.editor.text, "reset linux-two ");
    line_editor_next(&shell.editor, false);
    type("help to");
    shell_complete(&shell);
    assert_string_equal(shell.editor.text, "help top ");
    line_editor_next(&shell.editor, false);
    type("nonsense l");
    shell_complete(&shell);
    assert_string_equal(shell.editor.text, "nonsense l");
    line_editor_next(&shell.editor, false);
    shell_complete(&shell);
    assert_fits(rows());
    assert_non_null(strstr(answer, "help  vms  vcpus"));
    assert_non_null(strstr(answer, "poweroff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(help_lists_every_command, setup),
        cmocka_unit_test_setup(wrong_lines_are_refused, setup),
        cmocka_unit_test_setup(many_names_are_cut, setup),
        cmocka_unit_test_setup(actions_are_done, setup),
        cmocka_unit_test_setup(vms_are_listed, setup),
        cmocka_unit_test_setup(vcpus_are_listed, setup),
        cmocka_unit_test_setup(exits_are_listed, setup),
        cmocka_unit_test_setup(the_network_is_shown, setup),
        cmocka_unit_test_setup(the_log_is_shown, setup),
        cmocka_unit_test_setup(top_shows_what_was_used_meanwhile, setup),
        cmocka_unit_test_setup(top_shows_the_busiest_of_many, setup),
        cmocka_unit_test_setup(words_are_completed, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
