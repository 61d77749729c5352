#include "kernel/sched/tree.h"

static int32_t height(const struct tree_node *node)
{
    return node ? node->height : -1;
}

/* Height and least value from the children's. True if one of them changed. */
static bool refresh(struct tree_node *node)
{
    int32_t left = height(node->left);
    int32_t right = height(node->right);
    int32_t tall = 1 + (left > right ? left : right);
    uint64_t least = node->value;

    if (node->left && time_before(node->left->least, least)) {
        least = node->left->least;
    }
    if (node->right && time_before(node->right->least, least)) {
        least = node->right->least;
    }

    bool changed = tall != node->height || least != node->least;
    node->height = tall;
    node->least = least;
    return changed;
}

/* Puts `to`, which may be NULL, where `from` hangs. */
static void replace(struct tree *tree, const struct tree_node *from, struct tree_node *to)
{
    struct tree_node *parent = from->parent;

    if (!parent) {
        tree->root = to;
    } else if (parent->left == from) {
        parent->left = to;
    } else {
        parent->right = to;
    }
    if (to) {
        to->parent = parent;
    }
}

/* The left child takes the node's place. Returns it. */
static struct tree_node *rotate_right(struct tree *tree, struct tree_node *node)
{
    struct tree_node *left = node->left;

    replace(tree, node, left);
    node->left = left->right;
    if (node->left) {
        node->left->parent = node;
    }
    left->right = node;
    node->parent = left;
    (void)refresh(node);
    return left;
}

static struct tree_node *rotate_left(struct tree *tree, struct tree_node *node)
{
    struct tree_node *right = node->right;

    replace(tree, node, right);
    node->right = right->left;
    if (node->right) {
        node->right->parent = node;
    }
    right->left = node;
    node->parent = right;
    (void)refresh(node);
    return right;
}

/* Restores balance, heights and least values from `node`, whose subtrees are right, upwards. */
static void repair(struct tree *tree, struct tree_node *node)
{
    while (node) {
        int32_t old_height = node->height;
        uint64_t old_least = node->least;
        int32_t left = height(node->left);
        int32_t right = height(node->right);

        if (left > right + 1) {
            if (height(node->left->left) < height(node->left->right)) {
                (void)rotate_left(tree, node->left);
            }
            node = rotate_right(tree, node);
        } else if (right > left + 1) {
            if (height(node->right->right) < height(node->right->left)) {
                (void)rotate_right(tree, node->right);
            }
            node = rotate_left(tree, node);
        }
        (void)refresh(node);
        if (node->height == old_height && node->least == old_least) {
            return;
        }
        node = node->parent;
    }
}

void tree_insert_among(struct tree *tree, struct tree_node *node)
{
    struct tree_node *parent;
    struct tree_node **link = &tree->root;
    bool first = true;

    do {
        parent = *link;
        if (time_before(node->key, parent->key)) {
            link = &parent->left;
        } else {
            link = &parent->right;
            first = false;
        }
    } while (*link);
    node->parent = parent;
    *link = node;
    if (first) {
        tree->first = node;
    }
    repair(tree, parent);
}

void tree_remove_among(struct tree *tree, struct tree_node *node)
{
    struct tree_node *heir = NULL; /* takes the node's place when it has two children */
    struct tree_node *start;       /* the lowest node whose subtree has changed */

    if (tree->first == node) {
        tree->first = tree_next(node);
    }
    if (node->left && node->right) {
        heir = node->right;
        while (heir->left) {
            heir = heir->left;
        }
        start = heir->parent == node ? heir : heir->parent;
        if (heir != node->right) {
            replace(tree, heir, heir->right);
            heir->right = node->right;
            heir->right->parent = heir;
        }
        heir->left = node->left;
        heir->left->parent = heir;
        heir->height = node->height;
        heir->least = node->least;
        replace(tree, node, heir);
    } else {
        start = node->parent;
        replace(tree, node, node->left ? node->left : node->right);
    }
    node->parent = NULL;
    node->left = NULL;
    node->right = NULL;
    node->height = 0;
    repair(tree, start);
    /* The heir has lost the node's value, even if nothing changed further down. */
    if (heir && heir != start) {
        repair(tree, heir);
    }
}

struct tree_node *tree_next(const struct tree_node *node)
{
    struct tree_node *next = node->right;

    if (next) {
        while (next->left) {
            next = next->left;
        }
        return next;
    }
    while (node->parent && node->parent->right == node) {
        node = node->parent;
    }
    return node->parent;
}
