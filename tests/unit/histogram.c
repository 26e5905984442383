/* SPDX-License-Identifier: MIT */
/* Histograms: buckets meet without gaps, quantiles are as near as the buckets allow. */
#include "test.h"

#include <edo/metrics.h>
#include <stdlib.h>

static unsigned bucket(uint64_t v)
{
    unsigned i = 0;
    while (v >= edo_histogram_limit(i) && i < EDO_HISTOGRAM_BUCKETS - 1)
        i++;
    return i;
}

static void put(edo_histogram *h, uint64_t v)
{
    h->buckets[bucket(v)]++;
    h->count++;
    h->sum += v;
    if (v > h->max)
        h->max = v;
}

TEST(limits_grow_by_a_quarter_at_most)
{
    CHECK_UINT(edo_histogram_limit(0), ==, 16);
    CHECK_UINT(edo_histogram_limit(1), ==, 20);
    CHECK_UINT(edo_histogram_limit(4), ==, 32);
    CHECK_UINT(edo_histogram_limit(5), ==, 40);
    for (unsigned i = 1; i < EDO_HISTOGRAM_BUCKETS - 1; i++) {
        uint64_t below = edo_histogram_limit(i - 1), limit = edo_histogram_limit(i);
        CHECK_UINT(limit, >, below);
        CHECK_UINT((limit - below) * 4, <=, below);
    }
    CHECK_UINT(edo_histogram_limit(EDO_HISTOGRAM_BUCKETS - 2), ==, UINT64_C(1) << 34);
    CHECK_UINT(edo_histogram_limit(EDO_HISTOGRAM_BUCKETS - 1), ==, UINT64_MAX);
}

TEST(of_nothing)
{
    edo_histogram h = { 0 };
    CHECK_UINT(edo_histogram_quantile(&h, 0.5), ==, 0);
    CHECK_UINT(edo_histogram_mean(&h), ==, 0);
}

TEST(of_one_value)
{
    edo_histogram h = { 0 };
    put(&h, 1000);
    for (int i = 0; i <= 10; i++) {
        uint64_t v = edo_histogram_quantile(&h, i / 10.0);
        CHECK_UINT(v, >=, 896);
        CHECK_UINT(v, <=, 1000);
    }
    CHECK_UINT(edo_histogram_quantile(&h, 1), ==, 1000);
    CHECK_UINT(edo_histogram_mean(&h), ==, 1000);
}

static int order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

TEST(quantiles_are_within_an_eighth)
{
    enum { N = 10000 };
    uint64_t *all = malloc(N * sizeof *all), seed = test_seed(), sum = 0;
    CHECK(all != NULL);
    edo_histogram h = { 0 };
    for (int i = 0; i < N; i++) {
        all[i] = test_rand(&seed) >> (34 + test_rand(&seed) % 24); /* over many powers of two */
        sum += all[i];
        put(&h, all[i]);
    }
    qsort(all, N, sizeof *all, order);
    CHECK_UINT(edo_histogram_mean(&h), ==, sum / N);
    CHECK_UINT(edo_histogram_quantile(&h, 1), ==, all[N - 1]);
    for (int q = 1; q < 100; q++) {
        uint64_t is = all[q * N / 100], says = edo_histogram_quantile(&h, q / 100.0);
        CHECK_UINT(says, <=, is + is / 4 + 16);
        CHECK_UINT(says + says / 4 + 16, >=, is);
    }
    free(all);
}

TEST(the_last_bucket_holds_the_rest)
{
    edo_histogram h = { 0 };
    put(&h, UINT64_C(1) << 50);
    CHECK_UINT(h.buckets[EDO_HISTOGRAM_BUCKETS - 1], ==, 1);
    CHECK_UINT(edo_histogram_quantile(&h, 0.999), <=, UINT64_C(1) << 50);
    CHECK_UINT(edo_histogram_quantile(&h, 0.999), >=, UINT64_C(1) << 34);
}

TEST_MAIN()
