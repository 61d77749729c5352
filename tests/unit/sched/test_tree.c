/* The tree against a sorted array, with keys and values that wrap. */
#include <stdlib.h>

#include "kernel/sched/tree.h"
#include "tests/unit/support/cmocka.h"

#define NODES 300u

static struct tree_node nodes[NODES];
static bool inside[NODES];
static struct tree tree;
static uint64_t random_state = 1;

static uint64_t next_random(void)
{
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return random_state >> 20;
}

static uint64_t least_of(const struct tree_node *node)
{
    uint64_t least = node->value;

    if (node->left && time_before(least_of(node->left), least)) {
        least = least_of(node->left);
    }
    if (node->right && time_before(least_of(node->right), least)) {
        least = least_of(node->right);
    }
    return least;
}

/* Checks links, balance, heights and least values; returns the height. */
static int32_t check(const struct tree_node *node, const struct tree_node *parent)
{
    if (!node) {
        return -1;
    }

    int32_t left = check(node->left, node);
    int32_t right = check(node->right, node);

    assert_ptr_equal(node->parent, parent);
    assert_true(left <= right + 1 && right <= left + 1);
    assert_int_equal(node->height, 1 + (left > right ? left : right));
    assert_true(node->least == least_of(node));
    return node->height;
}

static unsigned count_in_order(void)
{
    unsigned count = 0;
    const struct tree_node *last = NULL;

    for (const struct tree_node *node = tree.first; node; node = tree_next(node)) {
        assert_true(inside[node - nodes]);
        assert_false(last && time_before(node->key, last->key));
        last = node;
        count++;
    }
    return count;
}

static void test_random_operations(void **state)
{
    unsigned count = 0;

    (void)state;
    for (unsigned round = 0; round < 6000; round++) {
        unsigned i = (unsigned)(next_random() % NODES);

        if (inside[i]) {
            tree_remove(&tree, &nodes[i]);
            assert_false(nodes[i].parent || nodes[i].left || nodes[i].right || nodes[i].height);
            count--;
        } else {
            /* Few different keys, on both sides of where they wrap; sometimes far more in than
             * out, sometimes the other way round. */
            if (round / 1000 % 2 == 1 && next_random() % 4 != 0) {
                continue;
            }
            nodes[i].key = next_random() % 64 - 32;
            nodes[i].value = next_random() % 1000 - 500;
            tree_insert(&tree, &nodes[i]);
            count++;
        }
        inside[i] = !inside[i];
        if (round % 8 == 0) {
            (void)check(tree.root, NULL);
            assert_int_equal(count_in_order(), count);
        }
    }
}

static void test_equal_keys_keep_their_order(void **state)
{
    struct tree equal = {NULL, NULL};
    struct tree_node some[20] = {{NULL}};
    unsigned i = 0;

    (void)state;
    for (unsigned n = 0; n < 20; n++) {
        some[n].key = 7;
        some[n].value = n;
        tree_insert(&equal, &some[n]);
    }
    for (const struct tree_node *node = equal.first; node; node = tree_next(node)) {
        assert_ptr_equal(node, &some[i++]);
    }
    assert_int_equal(i, 20);
    /* Sorted input is the worst for a tree without balance. */
    assert_true(equal.root->height <= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_equal_keys_keep_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
