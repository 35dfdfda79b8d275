/* Lists of numbers in JSON text, straight to doubles. Plain C, called through ctypes, so that one
 * library serves every Python; json_lists.py has the reference and says what is read and what not.
 *
 * Only what is certain is read: each function says no to anything that is no JSON list of numbers,
 * and to numbers that the arithmetic below does not cover.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    MAX_DIMENSIONS = 8,
    MAX_DIGITS = 19, /* as many always fit 64 bits */
    MAX_EXPONENT_DIGITS = 4,
    LEAST_POWER = -342, /* 10^-343 times 19 digits is less than any double */
    MOST_POWER = 308,
};

static const uint64_t EXACT = UINT64_C(1) << 53; /* integers up to here are exact as doubles */

/* The upper 128 bits of 10^LEAST_POWER to 10^MOST_POWER, highest 64 first; rounded up below 1. */
static uint64_t powers[MOST_POWER - LEAST_POWER + 1][2];

void set_powers(const uint64_t *table)
{
    memcpy(powers, table, sizeof powers);
}

typedef struct {
    const char *at, *end;
    double *next;
    const double *stop;
    long lengths[MAX_DIMENSIONS + 1]; /* of the lists at each depth; -1: none has ended yet */
    int innermost;                    /* depth of the lists that hold numbers; -1: not known yet */
} Reader;

static inline bool is_digit(const char *at)
{
    return (unsigned char)(*at - '0') < 10;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static const uint64_t ASCII_ZEROS = 0x3030303030303030;
static const uint64_t TENS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};

/* Return the number that eight digits are, the first in the lowest byte, each without its '0'. */
static inline uint64_t of_eight(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8); /* pairs of digits, then fours, then all */
    return ((digits & 0x000000FF000000FF) * (100 + (UINT64_C(1000000) << 32))
            + ((digits >> 16 & 0x000000FF000000FF) * (1 + (UINT64_C(10000) << 32))))
           >> 32;
}
#endif

/* Append the digits at `at` to `digits` (modulo 2^64) and return where they end; eight at a time
 * are checked and added up in one word, on machines that store its lowest byte first. How many the
 * last word has is no branch: it differs from number to number. */
static inline const char *append(const char *at, const char *end, uint64_t *digits)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; end - at >= 8; at += 8) {
        uint64_t eight;
        memcpy(&eight, at, 8);
        /* The lowest of these bits is at the first that is no digit; above it they say nothing. */
        uint64_t others = ((eight + 0x4646464646464646) | (eight - ASCII_ZEROS)) & 0x8080808080808080;
        eight -= ASCII_ZEROS;
        if (others) {
            int count = __builtin_ctzll(others) >> 3;
            eight = eight << 8 << (56 - 8 * count); /* zeros before the digits, nothing after them */
            *digits = *digits * TENS[count] + of_eight(eight);
            return at + count;
        }
        *digits = *digits * 100000000 + of_eight(eight);
    }
#endif
    while (at < end && is_digit(at))
        *digits = *digits * 10 + (uint64_t)(*at++ - '0');
    return at;
}

/* Set `bits` to those of the double nearest digits * 10^power, ties to even; no to a subnormal
 * number and to one that is too large.
 *
 * Mushtak and Lemire, "Fast number parsing without fallback", 2023 (doi:10.1002/spe.3198): the
 * digits, 64 bits, times 128 bits of the power always decide the rounding, and a product is half
 * way between two doubles only for few powers, and then exactly. */
static inline bool nearest(uint64_t digits, long power, uint64_t *bits)
{
    *bits = 0;
    if (digits == 0)
        return true;
    if (power < LEAST_POWER || power > MOST_POWER)
        return false;
    const uint64_t *factor = powers[power - LEAST_POWER];
    int shift = __builtin_clzll(digits);
    digits <<= shift;
    unsigned __int128 product = (unsigned __int128)digits * factor[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if ((high & 0x1FF) == 0x1FF) { /* a carry would reach the mantissa */
        uint64_t rest = (uint64_t)((unsigned __int128)digits * factor[1] >> 64);
        low += rest;
        high += low < rest;
    }
    int top = (int)(high >> 63);
    uint64_t mantissa = high >> (top + 9); /* 53 bits, and one to round by */
    bool is_tie = low <= 1 && power >= -4 && power <= 23 && mantissa << (top + 9) == high;
    mantissa += (mantissa & 1) & !(is_tie && (mantissa & 3) == 1);
    mantissa >>= 1;
    /* log2(10) = 217706 / 2^16, near enough for these powers; 1023 is the exponent's bias. */
    int exponent = (int)(217706 * power >> 16) + 1023 + 63 + top - shift;
    exponent += (int)(mantissa >> 53); /* rounded up to the next power of two */
    if (exponent < 1 || exponent > 2046)
        return false;
    *bits = ((uint64_t)exponent << 52) | (mantissa & (EXACT / 2 - 1));
    return true;
}

/* Read a number as RFC 8259 defines it. */
static inline bool read_number(Reader *reader)
{
    const char *at = reader->at, *end = reader->end;
    if (at == end || reader->next == reader->stop)
        return false;
    uint64_t is_negative = *at == '-';
    at += is_negative;
    const char *first = at;
    uint64_t digits = 0, bits;
    if (end - at > 1 && is_digit(at) && at[1] == '.') /* most fractions */
        digits = (uint64_t)(*at++ - '0');
    else
        at = append(at, end, &digits);
    long count = at - first;
    if (count == 0 || (count > 1 && *first == '0'))
        return false;
    bool is_integer = true;
    long power = 0;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = append(at, end, &digits);
        if (at == fraction)
            return false;
        count += at - fraction;
        power = fraction - at;
        is_integer = false;
    }
    if (count > MAX_DIGITS) {
        for (const char *zero = first; *zero == '0' || *zero == '.'; zero++)
            count -= *zero == '0';
        if (count > MAX_DIGITS)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool is_below_one = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        const char *start = at;
        uint64_t exponent = 0;
        at = append(at, end, &exponent);
        if (at == start || at - start > MAX_EXPONENT_DIGITS)
            return false;
        power += is_below_one ? -(long)exponent : (long)exponent;
        is_integer = false;
    }
    if (is_integer) {
        if (digits > EXACT)
            return false;
        is_negative &= digits != 0; /* the integer -0 is 0 */
    }
    if (!nearest(digits, power, &bits))
        return false;
    bits |= is_negative << 63;
    memcpy(reader->next++, &bits, sizeof bits);
    reader->at = at;
    return true;
}

/* Return the next character that is no white space, 0 at the end. */
static inline char peek(Reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && *at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    reader->at = at;
    return at < reader->end ? *at : 0;
}

/* Read a list of numbers, or of such lists; at each depth all are of one length, and none empty. */
static bool read_list(Reader *reader, int depth)
{
    if (depth == MAX_DIMENSIONS || peek(reader) != '[')
        return false;
    reader->at++;
    bool is_nested = peek(reader) == '[';
    if (!is_nested && reader->innermost < 0)
        reader->innermost = depth;
    if (is_nested ? reader->innermost == depth : reader->innermost != depth)
        return false;
    for (long length = 1;; length++) {
        peek(reader);
        if (!(is_nested ? read_list(reader, depth + 1) : read_number(reader)))
            return false;
        char next = peek(reader);
        reader->at++;
        if (next == ',')
            continue;
        if (next != ']')
            return false;
        if (reader->lengths[depth] < 0)
            reader->lengths[depth] = length;
        return reader->lengths[depth] == length;
    }
}

static Reader reader_into(double *numbers, long capacity)
{
    Reader reader = {.next = numbers, .stop = numbers + capacity, .innermost = -1};
    for (int depth = 0; depth <= MAX_DIMENSIONS; depth++)
        reader.lengths[depth] = -1;
    return reader;
}

/* Read the list that begins at text[start].
 *
 * Returns where it ends, -1 if it is not read. `lengths` (9 of them) are those of its lists by
 * depth, -1 beyond the last. */
long read_one(const char *text, long length, long start, double *numbers, long capacity,
              long *lengths)
{
    Reader reader = reader_into(numbers, capacity);
    reader.at = text + start;
    reader.end = text + length;
    if (!read_list(&reader, 0))
        return -1;
    memcpy(lengths, reader.lengths, sizeof reader.lengths);
    return reader.at - text;
}

/* Read the lists in `count` texts, each `prefix`, a list and `suffix`; what they hold is of one shape.
 * The texts are where `texts` says, or, where that is NULL, one after the other in `joined`.
 *
 * Returns 0, -1 if they are not read. `counts` are the lengths of the lists, `lengths` (9 of them)
 * from the second on those of what they hold. */
long read_texts(const char *joined, const char *const *texts, const long *text_lengths, long count,
                const char *prefix, long prefix_length, const char *suffix, long suffix_length,
                double *numbers, long capacity, long *counts, long *lengths)
{
    Reader reader = reader_into(numbers, capacity);
    for (long text = 0; text < count; text++) {
        const char *begin = texts ? texts[text] : joined;
        const char *end = begin + text_lengths[text] - suffix_length;
        joined = begin + text_lengths[text];
        if (end - begin < prefix_length || memcmp(begin, prefix, (size_t)prefix_length) != 0
            || memcmp(end, suffix, (size_t)suffix_length) != 0)
            return -1;
        reader.at = begin + prefix_length;
        reader.end = end;
        reader.lengths[0] = -1;
        if (!read_list(&reader, 0) || reader.at != end)
            return -1;
        counts[text] = reader.lengths[0];
    }
    memcpy(lengths, reader.lengths, sizeof reader.lengths);
    return 0;
}
