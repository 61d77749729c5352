#include "kernel/sched/fair.h"

#include "kernel/sched/balance.h"

/* Beyond this the sums' origin follows the virtual time, so that they never overflow. */
#define SUM_LIMIT (1l << 56)

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

bool fair_eligible(const struct run_queue *queue, uint64_t virtual_time)
{
    /* v <= V, both multiplied by the weight of all. */
    return (__int128)since_origin(queue, virtual_time) * (__int128)queue->weight <=
           queue->weighted_sum;
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

static void follow(struct run_queue *queue)
{
    if (queue->weighted_sum < SUM_LIMIT && queue->weighted_sum > -SUM_LIMIT) {
        return;
    }

    int64_t ahead = mean(queue->weighted_sum, queue->weight);

    queue->origin += (uint64_t)ahead;
    queue->weighted_sum -= ahead * (int64_t)queue->weight;
}

static uint32_t reserved_weight(const struct sched_entity *entity)
{
    return reservation_exists(&entity->reservation) ? entity->weight : 0;
}

/* Counts the entity in at its virtual time. */
static void count_in(struct run_queue *queue, struct sched_entity *entity)
{
    queue->weighted_sum += since_origin(queue, entity->fair.value) * (int64_t)entity->weight;
    queue->weight += entity->weight;
    queue->reserved_weight += reserved_weight(entity);
    queue->competing++;
    entity->competes = true;
    follow(queue);
}

static void count_out(struct run_queue *queue, struct sched_entity *entity)
{
    entity->competes = false;
    queue->competing--;
    queue->weight -= entity->weight;
    queue->reserved_weight -= reserved_weight(entity);
    if (queue->weight == 0) {
        queue->origin = entity->fair.value;
        queue->weighted_sum = 0;
        return;
    }
    queue->weighted_sum -= since_origin(queue, entity->fair.value) * (int64_t)entity->weight;
    follow(queue);
}

/* Where an entity has that lag, in a queue in which it is not counted. */
static uint64_t place(const struct run_queue *queue, const struct sched_entity *entity, int64_t lag)
{
    int64_t credit = (int64_t)(FAIR_CREDIT_SLICES * queue->config->slice);

    lag = limit(lag, -debt_limit(queue, entity), credit) * (1l << FAIR_SHIFT);
    return fair_virtual_time(queue) - (uint64_t)(lag / (int64_t)entity->weight);
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

/* The lag in the queue of a blocked entity that comes back. */
static int64_t returning_lag(const struct run_queue *queue, const struct sched_entity *entity)
{
    uint64_t time;

    if (queue->weight == 0) {
        return 0;
    }
    if (machine_virtual_time(queue->machine, queue->charged_at, &time)) {
        return entity->lag + behind(fair_machine_time(queue), time, entity->weight);
    }
    /* Counting it in will move V by lag / weight of all. */
    return entity->lag + entity->lag * entity->weight / (int64_t)queue->weight;
}

void fair_join(struct run_queue *queue, struct sched_entity *entity, uint64_t request)
{
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
    return lag < most ? lag : most;
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

void fair_charge(struct run_queue *queue, struct sched_entity *entity, uint64_t ns)
{
    uint64_t virtual_ns = fair_virtual(ns, entity->weight);

    entity->fair.value += virtual_ns;
    if (!entity->competes) {
        return;
    }
    if (queue->competing == 1) {
        queue->origin = entity->fair.value;
        queue->weighted_sum = 0;
        return;
    }
    queue->weighted_sum += (int64_t)(virtual_ns * entity->weight);
    follow(queue);
}

void fair_limit_debt(struct run_queue *queue, struct sched_entity *entity)
{
    uint64_t left = entity->fair.key - entity->fair.value;
    int64_t lag = fair_lag(queue, entity);

    if (lag < -debt_limit(queue, entity)) {
        count_out(queue, entity);
        join_with(queue, entity, lag, 0);
        entity->fair.key += left;
    }
}

uint64_t fair_request_left(const struct sched_entity *entity)
{
    int64_t left = (int64_t)(entity->fair.key - entity->fair.value);

    if (left <= 0) {
        return 0;
    }
    /* Rounded up: who has run that has run all. */
    return ((uint64_t)left * entity->weight + (1ul << FAIR_SHIFT) - 1) >> FAIR_SHIFT;
}

void fair_set_request(struct sched_entity *entity, uint64_t request)
{
    entity->fair.key = entity->fair.value + fair_virtual(request, entity->weight);
}

void fair_set_weight(struct run_queue *queue, struct sched_entity *entity, uint32_t weight)
{
    uint64_t request = fair_request_left(entity);
    int64_t lag;

    if (!entity->competes) {
        lag = behind(fair_virtual_time(queue), entity->fair.value, entity->weight);
        entity->weight = weight;
        entity->fair.value = place(queue, entity, lag);
        return;
    }
    lag = fair_lag(queue, entity);
    count_out(queue, entity);
    entity->weight = weight;
    if (queue->weight != 0) {
        /* Counting it in will move V by lag / weight of all. */
        lag += lag * weight / (int64_t)queue->weight;
    }
    join_with(queue, entity, lag, request);
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
    join_with(to, entity, behind(fair_virtual_time(to), virtual_time, entity->weight), request);
}

static bool holds_eligible(const struct run_queue *queue, const struct tree_node *subtree)
{
    return subtree && fair_eligible(queue, subtree->least);
}

struct sched_entity *fair_first(struct run_queue *queue)
{
    struct tree_node *node = queue->fair.first;
    uint64_t steps = 1;

    /* Up the left edge, until the node or what is right below it has an eligible one; all with
     * earlier deadlines have been seen not to. Mostly the first is it. */
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
    queue->pick_steps += steps;
    return node ? fair_entity(node) : NULL;
}
