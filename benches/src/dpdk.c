/* rte_acl of DPDK behind five plain functions: its rule structure is made by a macro and its parameters are
 * filled here, so that Rust need not know its layouts. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <rte_acl.h>
#include <rte_eal.h>
#include <rte_malloc.h>

enum { FIELDS = 5 };

/* Network byte order. */
struct header {
    uint8_t proto;
    uint8_t zero[3];
    uint32_t src;
    uint32_t dst;
    uint16_t sport;
    uint16_t dport;
};

/* Host byte order. */
struct rule {
    uint32_t src, dst;
    uint8_t src_length, dst_length, proto, proto_mask;
    uint16_t sport_lo, sport_hi, dport_lo, dport_hi;
};

RTE_ACL_RULE_DEF(acl_rule, FIELDS);

int wiresift_acl_start(char *program)
{
    char *args[] = {program, "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "4096",
                    "--force-max-simd-bitwidth=512", "--log-level=error"};
    return rte_eal_init(sizeof(args) / sizeof(args[0]), args);
}

static size_t allocated(void)
{
    struct rte_malloc_socket_stats stats;
    if (rte_malloc_get_socket_stats(0, &stats) != 0)
        return 0;
    return stats.heap_allocsz_bytes;
}

/* The first rule wins; a header that satisfies rule n gets n + 1. `bytes` is what the built tables take. */
struct rte_acl_ctx *wiresift_acl_build(const struct rule *rules, uint32_t count, size_t *bytes)
{
    static unsigned int number;
    char name[RTE_ACL_NAMESIZE];
    snprintf(name, sizeof(name), "acl%u", number++);
    struct rte_acl_param param = {
        .name = name,
        .socket_id = -1,
        .rule_size = RTE_ACL_RULE_SZ(FIELDS),
        .max_rule_num = count,
    };
    struct rte_acl_ctx *ctx = rte_acl_create(&param);
    if (ctx == NULL)
        return NULL;
    for (uint32_t n = 0; n < count; n++) {
        const struct rule *from = &rules[n];
        struct acl_rule rule;
        memset(&rule, 0, sizeof(rule));
        rule.data.category_mask = 1;
        rule.data.priority = RTE_ACL_MAX_PRIORITY - n;
        rule.data.userdata = n + 1;
        rule.field[0].value.u8 = from->proto;
        rule.field[0].mask_range.u8 = from->proto_mask;
        rule.field[1].value.u32 = from->src;
        rule.field[1].mask_range.u32 = from->src_length;
        rule.field[2].value.u32 = from->dst;
        rule.field[2].mask_range.u32 = from->dst_length;
        rule.field[3].value.u16 = from->sport_lo;
        rule.field[3].mask_range.u16 = from->sport_hi;
        rule.field[4].value.u16 = from->dport_lo;
        rule.field[4].mask_range.u16 = from->dport_hi;
        if (rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&rule, 1) != 0) {
            rte_acl_free(ctx);
            return NULL;
        }
    }
    struct rte_acl_config config;
    memset(&config, 0, sizeof(config));
    config.num_categories = 1;
    config.num_fields = FIELDS;
    const struct rte_acl_field_def defs[FIELDS] = {
        {RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0, offsetof(struct header, proto)},
        {RTE_ACL_FIELD_TYPE_MASK, 4, 1, 1, offsetof(struct header, src)},
        {RTE_ACL_FIELD_TYPE_MASK, 4, 2, 2, offsetof(struct header, dst)},
        {RTE_ACL_FIELD_TYPE_RANGE, 2, 3, 3, offsetof(struct header, sport)},
        {RTE_ACL_FIELD_TYPE_RANGE, 2, 4, 3, offsetof(struct header, dport)},
    };
    memcpy(config.defs, defs, sizeof(defs));
    size_t before = allocated();
    if (rte_acl_build(ctx, &config) != 0) {
        rte_acl_free(ctx);
        return NULL;
    }
    *bytes = allocated() - before;
    return ctx;
}

int wiresift_acl_classify(const struct rte_acl_ctx *ctx, const uint8_t **headers, uint32_t *results,
                          uint32_t count, int algorithm)
{
    static const enum rte_acl_classify_alg algorithms[] = {
        RTE_ACL_CLASSIFY_SCALAR, RTE_ACL_CLASSIFY_AVX2, RTE_ACL_CLASSIFY_AVX512X32};
    return rte_acl_classify_alg(ctx, headers, results, count, 1, algorithms[algorithm]);
}

void wiresift_acl_free(struct rte_acl_ctx *ctx)
{
    rte_acl_free(ctx);
}
