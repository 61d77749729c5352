/*
 * An AVL tree of nodes that live inside what they order, augmented with the least value in each
 * subtree: the scheduler's only data structure. Nothing is allocated and nothing recurses.
 *
 * Keys and values are times that may wrap around: two are compared by the sign of their difference,
 * so all that are in one tree at a time must lie within 2^63 of each other.
 */
#ifndef KERNEL_SCHED_TREE_H
#define KERNEL_SCHED_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero but key and value while it is in no tree. */
struct tree_node {
    struct tree_node *parent;
    struct tree_node *left;
    struct tree_node *right;
    uint64_t key;   /* the order; equal keys keep the order of insertion */
    uint64_t value; /* what `least` is taken over; of no meaning to the order */
    uint64_t least; /* of the values in this node's subtree; the tree keeps and leaves it behind */
    int32_t height; /* 0 for a leaf; the tree keeps it */
};

struct tree {
    struct tree_node *root;
    struct tree_node *first; /* least key, NULL when empty: found in O(1) */
};

/** True if time `a` is earlier than time `b`, also when they have wrapped. */
static inline bool time_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

/** For a tree that is not empty, and for a node that is not alone. O(log n). */
void tree_insert_among(struct tree *tree, struct tree_node *node);
void tree_remove_among(struct tree *tree, struct tree_node *node);

/** Adds a node whose key and value are set and stay unchanged until it is removed. O(log n). */
static inline void tree_insert(struct tree *tree, struct tree_node *node)
{
    node->least = node->value;
    if (tree->root) {
        tree_insert_among(tree, node);
    } else {
        tree->root = node;
        tree->first = node;
    }
}

/** Removes a node that is in the tree. O(log n). */
static inline void tree_remove(struct tree *tree, struct tree_node *node)
{
    if (tree->root->height == 0) {
        tree->root = NULL;
        tree->first = NULL;
    } else {
        tree_remove_among(tree, node);
    }
}

/** Removes one node and adds another. O(log n). */
static inline void tree_exchange(struct tree *tree, struct tree_node *out, struct tree_node *in)
{
    in->least = in->value;
    if (tree->root->height == 0) {
        tree->root = in;
        tree->first = in;
    } else {
        tree_remove_among(tree, out);
        tree_insert_among(tree, in);
    }
}

/** The node after `node`, or NULL. O(1) amortised over a walk. */
struct tree_node *tree_next(const struct tree_node *node);

#endif
