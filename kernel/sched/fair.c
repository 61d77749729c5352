#include "kernel/sched/fair.h"

#include "kernel/sched/balance.h"
#include "kernel/sched/queue.h"

static int64_t since_origin(const struct run_queue *queue, uint64_t virtual_time)
{
    return (int64_t)(virtual_time - queue->origin);
}

/* Rounded down, as the division of unsigned numbers is. */
static int64_t mean(int64_t sum, uint64_t weight)
{
    int64_t divisor = (int64_t)weight;
    int64_t quotient = sum / divisor;

    return sum % divisor < 0 ? quotient - 1 : quotient;
}

uint64_t fair_virtual_time(const struct run_queue *queue)
{
    if (queue->weight == 0) {
        return queue->origin;
    }
    return queue->origin + (uint64_t)mean(queue->weighted_sum, queue->weight);
}

int64_t fair_lag(const struct run_queue *queue, const struct sched_entity *entity)
{
    int64_t behind = (int64_t)(fair_virtual_time(queue) - entity->fair.value);

    return behind * (int64_t)entity->weight >> FAIR_SHIFT;
}

static int64_t limit(int64_t value, int64_t least, int64_t most)
{
    if (value > most) {
        return most;
    }
    return value < least ? least : value;
}

static int64_t debt_limit(const struct run_queue *queue, const struct sched_entity *entity)
{
    return (int64_t)(queue->config->slice + entity->reservation.budget);
}

void fair_follow(struct run_queue *queue)
{
    int64_t ahead = mean(queue->weighted_sum, queue->weight);

    queue->origin += (uint64_t)ahead;
    queue->weighted_sum -= ahead * (int64_t)queue->weight;
}

static uint32_t reserved_weight(const struct sched_entity *entity)
{
    return reservation_exists(&entity->reservation) ? entity->weight : 0;
}

static void publish_weights(struct run_queue *queue)
{
    struct queue_summary *summary = &queue->summary;

    atomic_store_explicit(&summary->weight, queue->weight, memory_order_relaxed);
    atomic_store_explicit(&summary->reserved_weight, queue->reserved_weight, memory_order_relaxed);
}

/* The sums have changed by an entity. */
static void after_count(struct run_queue *queue)
{
    if (queue->weighted_sum > FAIR_SUM_LIMIT || queue->weighted_sum < -FAIR_SUM_LIMIT) {
        fair_follow(queue);
    }
    publish_weights(queue);
}

/* Counts the entity in at its virtual time. */
static void count_in(struct run_queue *queue, struct sched_entity *entity)
{
    queue_update_load(queue);
    queue->weighted_sum += since_origin(queue, entity->fair.value) * (int64_t)entity->weight;
    queue->weight += entity->weight;
    queue->reserved_weight += reserved_weight(entity);
    queue->competing++;
    entity->competes = true;
    after_count(queue);
}

static void count_out(struct run_queue *queue, struct sched_entity *entity)
{
    queue_update_load(queue);
    entity->competes = false;
    queue->competing--;
    queue->weight -= entity->weight;
    queue->reserved_weight -= reserved_weight(entity);
    if (queue->weight == 0) {
        queue->origin = entity->fair.value;
        queue->weighted_sum = 0;
    } else {
        queue->weighted_sum -= since_origin(queue, entity->fair.value) * (int64_t)entity->weight;
    }
    after_count(queue);
}

/* What of its lag counts in a queue. */
static int64_t limit_lag(const struct run_queue *queue, const struct sched_entity *entity,
                         int64_t lag)
{
    int64_t credit = (int64_t)(FAIR_CREDIT_SLICES * queue->config->slice);

    return limit(lag, -debt_limit(queue, entity), credit);
}

/* The lag that one must have who is not counted in, to have `lag` when it is: counting it in moves
 * V by lag / weight of all. */
static int64_t lag_outside(const struct run_queue *queue, const struct sched_entity *entity,
                           int64_t lag)
{
    if (queue->weight == 0) {
        return 0;
    }
    return lag + lag * entity->weight / (int64_t)queue->weight;
}

/* Where an entity has that lag, in a queue in which it is not counted. */
static uint64_t place(const struct run_queue *queue, const struct sched_entity *entity, int64_t lag)
{
    uint64_t size = fair_virtual(entity, (uint64_t)(lag < 0 ? -lag : lag));

    return fair_virtual_time(queue) - (lag < 0 ? -size : size);
}

/* What an entity at that virtual time is behind the reference, in ns. */
static int64_t behind(uint64_t reference, uint64_t virtual_time, uint32_t weight)
{
    __int128 ns = (__int128)(int64_t)(reference - virtual_time) * weight >> FAIR_SHIFT;
    __int128 bound = 1l << 34; /* beyond what matters, and can still be multiplied */

    return (int64_t)(ns > bound ? bound : ns < -bound ? -bound : ns);
}

static void join_with(struct run_queue *queue, struct sched_entity *entity, int64_t lag,
                      uint64_t request)
{
    entity->fair.value = place(queue, entity, lag);
    fair_set_request(entity, request);
    count_in(queue, entity);
}

/* The lag in the queue of a blocked entity that comes back, before it is counted in. */
static int64_t returning_lag(const struct run_queue *queue, const struct sched_entity *entity)
{
    uint64_t time;

    if (queue->weight == 0) {
        return 0;
    }
    if (machine_virtual_time(queue->machine, queue->charged_at, &time)) {
        int64_t lead = behind(fair_machine_time(queue), time, entity->weight);

        return limit_lag(queue, entity, entity->lag + lead);
    }
    return lag_outside(queue, entity, limit_lag(queue, entity, entity->lag));
}

void fair_join(struct run_queue *queue, struct sched_entity *entity, uint64_t request)
{
    if (queue->weight == 0) {
        /* Alone, it is where the queue is, and is all that there is. */
        queue_update_load(queue);
        entity->fair.value = queue->origin;
        entity->competes = true;
        fair_set_request(entity, request);
        queue->weighted_sum = 0;
        queue->weight = entity->weight;
        queue->reserved_weight = reserved_weight(entity);
        queue->competing = 1;
        publish_weights(queue);
        return;
    }
    join_with(queue, entity, returning_lag(queue, entity), request);
}

/* The lag in the queue with which one that was paused would come back. Waiting for tokens makes up
 * for debts, but for no more credit than this: whose cap is below its share would otherwise be owed
 * ever more. */
static int64_t paused_lag(const struct run_queue *queue, const struct sched_entity *entity)
{
    int64_t lag = behind(fair_virtual_time(queue), entity->fair.value, entity->weight);
    int64_t most = (int64_t)(queue->config->slice / 2);

    if (entity->lag > most) {
        most = entity->lag;
    }
    return limit_lag(queue, entity, lag < most ? lag : most);
}

void fair_leave(struct run_queue *queue, struct sched_entity *entity)
{
    uint64_t time;
    int64_t lag = entity->competes ? fair_lag(queue, entity) : paused_lag(queue, entity);
    /* What it is owed or owes because of its queue is no more than what it gets in a horizon. */
    int64_t most = (int64_t)(2 * queue->config->balance_horizon);

    if (queue->competing == (entity->competes ? 1 : 0)) {
        lag = 0; /* alone: nobody owes anybody */
    } else if (machine_virtual_time(queue->machine, queue->charged_at, &time)) {
        lag += behind(time, fair_machine_time(queue), entity->weight);
    }
    entity->lag = limit(lag, -most, most);
    if (entity->competes) {
        count_out(queue, entity);
    }
}

void fair_pause(struct run_queue *queue, struct sched_entity *entity)
{
    if (entity->competes) {
        entity->lag = fair_lag(queue, entity);
        count_out(queue, entity);
    } else {
        entity->lag = returning_lag(queue, entity);
        entity->fair.value = place(queue, entity, entity->lag);
    }
}

void fair_resume(struct run_queue *queue, struct sched_entity *entity, uint64_t request)
{
    join_with(queue, entity, paused_lag(queue, entity), request);
}

void fair_limit_debt(struct run_queue *queue, struct sched_entity *entity)
{
    int64_t most = debt_limit(queue, entity);

    if (fair_lag(queue, entity) < -most) {
        uint64_t request = fair_request_left(entity);

        count_out(queue, entity);
        join_with(queue, entity, lag_outside(queue, entity, -most), request);
    }
}

void fair_set_weight(struct run_queue *queue, struct sched_entity *entity, uint32_t weight)
{
    uint64_t request = fair_request_left(entity);
    int64_t lag = fair_lag(queue, entity);

    if (entity->competes) {
        count_out(queue, entity);
        entity_set_weight(entity, weight);
        join_with(queue, entity, lag_outside(queue, entity, lag), request);
    } else {
        entity_set_weight(entity, weight);
        entity->fair.value = place(queue, entity, lag);
    }
}

void fair_move(struct run_queue *from, struct run_queue *to, struct sched_entity *entity)
{
    uint64_t request = fair_request_left(entity);
    uint64_t virtual_time = entity->fair.value + from->axis - to->axis;

    count_out(from, entity);
    if (to->weight == 0) {
        /* Alone there, it brings its time along. */
        to->axis += virtual_time - to->origin;
        virtual_time = to->origin;
    }
    join_with(to, entity,
              limit_lag(to, entity, behind(fair_virtual_time(to), virtual_time, entity->weight)),
              request);
}

static bool holds_eligible(const struct run_queue *queue, const struct tree_node *subtree)
{
    return subtree && fair_eligible(queue, subtree->least);
}

struct sched_entity *fair_search(struct run_queue *queue)
{
    struct tree_node *node = queue->fair.first;
    uint64_t steps = 0;

    /* Up the left edge, until the node or what is right below it has an eligible one; all with
     * earlier deadlines have been seen not to. */
    while (node && !fair_eligible(queue, node->value) && !holds_eligible(queue, node->right)) {
        node = node->parent;
        steps++;
    }
    /* Down to the first of them. */
    if (node && !fair_eligible(queue, node->value)) {
        node = node->right;
        steps++;
        for (;;) {
            if (holds_eligible(queue, node->left)) {
                node = node->left;
            } else if (fair_eligible(queue, node->value)) {
                break;
            } else {
                node = node->right;
            }
            steps++;
        }
    }
    queue->search_steps += steps;
    return node ? fair_entity(node) : NULL;
}
