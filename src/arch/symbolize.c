/* SPDX-License-Identifier: MIT */
/*
 * Names for addresses, static functions included.
 *
 * The dynamic symbol table that dladdr() reads has no static functions, so the symbol table of the
 * module's file is mapped and indexed, once per module and kept for the life of the process. A
 * signal handler may ask: all memory comes from mmap(), the only lock is the loader's, which its
 * holder may take again, and whoever finds an index under construction gets module and offset only.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/unwind.h"

#define MODULES_MAX 64

struct symbol {
    uintptr_t value; /* as in the file: without the load address */
    uint32_t size;
    uint32_t name; /* offset in the string table */
};

enum { FREE, BUILDING, READY };

struct module {
    /* FREE -> BUILDING by whoever builds it, -> READY with release; the acquire in module_get()
     * pairs. */
    _Atomic(int) state;
    uintptr_t base;
    uintptr_t first;        /* address of its first segment, its identity together with base */
    struct symbol *symbols; /* sorted by value; NULL when the file has none or cannot be read */
    size_t count;
    const char *strings;
    size_t strings_size;
};

static struct module modules[MODULES_MAX];

struct place {
    uintptr_t pc;
    uintptr_t base;
    uintptr_t first;
    char path[512];
};

static int on_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct place *at = arg;
    bool hit = false;
    uintptr_t first = UINTPTR_MAX;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        if (ph->p_type != PT_LOAD)
            continue;
        uintptr_t lo = info->dlpi_addr + ph->p_vaddr;
        hit = hit || (at->pc >= lo && at->pc - lo < ph->p_memsz);
        first = lo < first ? lo : first;
    }
    if (!hit)
        return 0;
    at->base = info->dlpi_addr;
    at->first = first;
    const char *name = info->dlpi_name;
    if (name == NULL || name[0] == '\0')
        name = "/proc/self/exe";
    size_t n = strlen(name);
    n = n < sizeof at->path ? n : sizeof at->path - 1;
    memcpy(at->path, name, n);
    at->path[n] = '\0';
    return 1;
}

static const void *map_file(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct stat st;
    void *p = MAP_FAILED;
    if (fstat(fd, &st) == 0 && st.st_size > 0)
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return NULL;
    *size = (size_t)st.st_size;
    return p;
}

static bool inside(size_t file_size, uint64_t offset, uint64_t size)
{
    return offset <= file_size && size <= file_size - offset;
}

/* The full symbol table, the dynamic one of a stripped file, or NULL. */
static const ElfW(Shdr) * find_table(const char *file, size_t size, const ElfW(Shdr) * *strings)
{
    const ElfW(Ehdr) *eh = (const void *)file;
    if (size < sizeof *eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
        eh->e_shentsize != sizeof(ElfW(Shdr)) || eh->e_shoff % _Alignof(ElfW(Shdr)) != 0 ||
        !inside(size, eh->e_shoff, (uint64_t)eh->e_shnum * sizeof(ElfW(Shdr))))
        return NULL;
    const ElfW(Shdr) *sections = (const void *)(file + eh->e_shoff);
    const ElfW(Shdr) *found = NULL;
    for (unsigned i = 0; i < eh->e_shnum; i++) {
        const ElfW(Shdr) *sh = &sections[i];
        if (sh->sh_type != SHT_SYMTAB && (sh->sh_type != SHT_DYNSYM || found != NULL))
            continue;
        if (sh->sh_link < eh->e_shnum && inside(size, sh->sh_offset, sh->sh_size))
            found = sh;
    }
    if (found == NULL)
        return NULL;
    *strings = &sections[found->sh_link];
    return inside(size, (*strings)->sh_offset, (*strings)->sh_size) ? found : NULL;
}

static void sift(struct symbol *s, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && s[child].value < s[child + 1].value)
            child++;
        if (s[at].value >= s[child].value)
            return;
        struct symbol moved = s[at];
        s[at] = s[child];
        s[child] = moved;
    }
}

/* qsort() may allocate. */
static void heap_sort(struct symbol *s, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(s, i, count);
    for (size_t end = count; end-- > 1;) {
        struct symbol last = s[end];
        s[end] = s[0];
        s[0] = last;
        sift(s, 0, end);
    }
}

static void module_build(struct module *m, const char *path)
{
    size_t size;
    const char *file = map_file(path, &size);
    const ElfW(Shdr) * strings;
    const ElfW(Shdr) *table = file == NULL ? NULL : find_table(file, size, &strings);
    if (table == NULL) {
        if (file != NULL)
            munmap((void *)(uintptr_t)file, size);
        return;
    }
    const ElfW(Sym) *syms = (const void *)(file + table->sh_offset);
    size_t total = table->sh_size / sizeof *syms;
    struct symbol *out = mmap(NULL, total * sizeof *out + 1, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (out == MAP_FAILED)
        return;
    size_t count = 0;
    for (size_t i = 0; i < total; i++) {
        unsigned type = ELF64_ST_TYPE(syms[i].st_info);
        bool code = type == STT_FUNC || type == STT_GNU_IFUNC;
        if (!code || syms[i].st_shndx == SHN_UNDEF || syms[i].st_name >= strings->sh_size)
            continue;
        uint32_t length = syms[i].st_size > UINT32_MAX ? UINT32_MAX : (uint32_t)syms[i].st_size;
        out[count++] = (struct symbol){ syms[i].st_value, length, syms[i].st_name };
    }
    heap_sort(out, count);
    m->symbols = out;
    m->count = count;
    m->strings = file + strings->sh_offset;
    m->strings_size = strings->sh_size;
}

/* NULL: being built at this moment, or too many modules. */
static const struct module *module_get(const struct place *at)
{
    for (unsigned i = 0; i < MODULES_MAX; i++) {
        struct module *m = &modules[i];
        int state = atomic_load_explicit(&m->state, memory_order_acquire);
        if (state == FREE &&
            atomic_compare_exchange_strong_explicit(&m->state, &state, BUILDING,
                                                    memory_order_acquire, memory_order_acquire)) {
            m->base = at->base;
            m->first = at->first;
            module_build(m, at->path);
            atomic_store_explicit(&m->state, READY, memory_order_release);
            return m;
        }
        if (state == BUILDING)
            return NULL;
        if (m->base == at->base && m->first == at->first)
            return m;
    }
    return NULL;
}

/* The last symbol that starts at or before value and, if it says how long it is, reaches it. */
static const struct symbol *symbol_find(const struct module *m, uintptr_t value)
{
    size_t lo = 0, hi = m->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->symbols[mid].value <= value)
            lo = mid + 1;
        else
            hi = mid;
    }
    /* Aliases share a value, and one of length 0 (a label) may hide a function around it. */
    for (unsigned back = 0; back < 4 && lo-- > 0; back++) {
        const struct symbol *s = &m->symbols[lo];
        if (value - s->value < s->size || (s->size == 0 && back == 0 && value == s->value))
            return s;
    }
    return NULL;
}

/*
 * A pc is mostly a return address and may lie behind the last instruction of the function that made
 * the call; but the very start of a function is where a signal interrupted it or where a context
 * begins.
 */
static const struct symbol *symbol_of(const struct module *m, uintptr_t value)
{
    const struct symbol *s = symbol_find(m, value);
    return s != NULL && s->value == value ? s : symbol_find(m, value - 1);
}

struct out {
    char *buf;
    size_t cap;
    size_t len;
};

static void put(struct out *o, const char *s, size_t max)
{
    for (size_t i = 0; i < max && s[i] != '\0' && o->len + 1 < o->cap; i++)
        o->buf[o->len++] = s[i];
}

static void put_hex(struct out *o, uintptr_t n)
{
    char digits[2 + 2 * sizeof n];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[n % 16];
        n /= 16;
    } while (n != 0);
    put(o, "0x", 2);
    put(o, digits + at, sizeof digits - at);
}

static const char *file_name(struct place *at)
{
    if (strcmp(at->path, "/proc/self/exe") == 0) {
        ssize_t n = readlink("/proc/self/exe", at->path, sizeof at->path - 1);
        if (n > 0)
            at->path[n] = '\0';
    }
    const char *slash = strrchr(at->path, '/');
    return slash != NULL ? slash + 1 : at->path;
}

size_t edo__symbolize(void *pc, char *buf, size_t cap)
{
    struct out o = { buf, cap, 0 };
    struct place at = { .pc = (uintptr_t)pc };
    if (cap == 0)
        return 0;
    if (dl_iterate_phdr(on_module, &at) == 0) {
        put_hex(&o, at.pc);
        buf[o.len] = '\0';
        return o.len;
    }
    const struct module *m = module_get(&at);
    uintptr_t value = at.pc - at.base;
    const struct symbol *s = m == NULL ? NULL : symbol_of(m, value);
    if (s != NULL) {
        put(&o, m->strings + s->name, m->strings_size - s->name);
        put(&o, "+", 1);
        put_hex(&o, value - s->value);
        put(&o, " (", 2);
        put(&o, file_name(&at), sizeof at.path);
    } else {
        put_hex(&o, at.pc);
        put(&o, " (", 2);
        put(&o, file_name(&at), sizeof at.path);
        put(&o, "+", 1);
        put_hex(&o, value);
    }
    put(&o, ")", 1);
    buf[o.len] = '\0';
    return o.len;
}
