// See convert_number.h.
#include "convert_number.h"

namespace softcuda {
namespace {

using ptx::Type;

enum class Class : u8 { finite, infinite, nan };

// significand * 2^exponent
struct Number {
    Class kind = Class::finite;
    bool negative = false;
    u64 significand = 0;
    int exponent = 0;
};

u64 lowBits(u32 count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }

bool isSingle(const NumberFormat& format) { return !format.integer && format.bits == 32 && format.padding == 0; }

Number decodeInteger(const NumberFormat& format, u64 raw) {
    Number number;
    raw &= lowBits(format.bits);
    number.negative = format.negative && (raw >> (format.bits - 1) & 1);
    number.significand = number.negative ? (0 - raw) & lowBits(format.bits) : raw;
    return number;
}

Number decodeFloat(const NumberFormat& format, u64 raw) {
    Number number;
    u64 magnitude = raw & lowBits(format.bits - 1u);
    number.negative = raw >> (format.bits - 1) & 1;
    if (magnitude >= format.infinity) {
        number.kind = magnitude == format.infinity && format.infinity != format.nan ? Class::infinite : Class::nan;
        return number;
    }
    int field = static_cast<int>(magnitude >> format.fraction);
    number.significand = magnitude & lowBits(format.fraction);
    if (field > 0) number.significand |= 1ull << format.fraction;
    number.exponent = (field > 0 ? field : 1) - format.bias - format.fraction;
    return number;
}

// f64 has more bits than the 32 of NumberFormat::infinity.
Number decodeDouble(u64 raw) {
    Number number;
    u64 magnitude = raw & lowBits(63);
    number.negative = raw >> 63;
    int field = static_cast<int>(magnitude >> 52);
    if (field == 0x7ff) {
        number.kind = magnitude & lowBits(52) ? Class::nan : Class::infinite;
        return number;
    }
    number.significand = (magnitude & lowBits(52)) | (field > 0 ? 1ull << 52 : 0);
    number.exponent = (field > 0 ? field : 1) - 1023 - 52;
    return number;
}

Number decode(const NumberFormat& format, u64 raw) {
    if (format.integer) return decodeInteger(format, raw);
    return format.bits == 64 ? decodeDouble(raw) : decodeFloat(format, raw);
}

// significand / 2^shift, rounded to an integer.
u64 shiftRounded(u64 significand, int shift, ConvertRounding rounding, bool negative) {
    if (shift <= 0) return significand << -shift;
    u64 whole = shift < 64 ? significand >> shift : 0;
    u64 rest = shift < 64 ? significand & lowBits(static_cast<u32>(shift)) : significand;
    u64 half = shift <= 64 ? 1ull << (shift - 1) : 0;
    bool above = half != 0 && rest > half, tie = half != 0 && rest == half;
    switch (rounding) {
        case ConvertRounding::nearest:
        case ConvertRounding::nearestInteger:
            return whole + (above || (tie && (whole & 1)));
        case ConvertRounding::nearestAway:
            return whole + (above || tie);
        case ConvertRounding::down:
        case ConvertRounding::downInteger:
            return whole + (negative && rest != 0);
        case ConvertRounding::up:
        case ConvertRounding::upInteger:
            return whole + (!negative && rest != 0);
        default:
            return whole;
    }
}

int topBit(u64 x) { return 63 - __builtin_clzll(x); }

// Clamped to the range of the format.
u64 encodeInteger(const NumberFormat& format, const Number& number, ConvertRounding rounding, bool fromFloat) {
    u64 most = lowBits(format.bits - (format.negative ? 1u : 0u));
    u64 least = format.negative ? most + 1 : 0;  // magnitude of the least value
    u64 limit = number.negative ? least : most, magnitude = limit;
    if (number.kind == Class::nan) return fromFloat ? 1ull << (format.bits - 1) : 0;
    if (number.kind == Class::finite && (number.significand == 0 || topBit(number.significand) + number.exponent < 64))
        magnitude =
            std::min(shiftRounded(number.significand, number.significand == 0 ? 0 : -number.exponent, rounding, number.negative), limit);
    return (number.negative ? 0 - magnitude : magnitude) & lowBits(format.bits);
}

bool overflowsToInfinity(ConvertRounding rounding, bool negative) {
    switch (rounding) {
        case ConvertRounding::zero:
            return false;
        case ConvertRounding::down:
            return negative;
        case ConvertRounding::up:
            return !negative;
        default:
            return true;
    }
}

u64 infinityOf(const NumberFormat& format) { return format.bits == 64 ? 0x7ff0000000000000ull : format.infinity; }

// The magnitude of a finite number that is not zero; infinity() where the format cannot hold it.
u64 encodeMagnitude(const NumberFormat& format, const Number& number, ConvertRounding rounding) {
    int least = 1 - format.bias - format.fraction;  // exponent of the last place of subnormals
    int place = std::max(topBit(number.significand) + number.exponent - format.fraction, least);
    u64 rounded = shiftRounded(number.significand, place - number.exponent, rounding, number.negative);
    u64 magnitude = (static_cast<u64>(place - least) << format.fraction) + rounded;
    return std::min(magnitude << format.padding, infinityOf(format));
}

// Integer roundings, of a format that holds the result: its values have few enough bits.
Number roundToInteger(Number number, ConvertRounding rounding) {
    if (number.kind != Class::finite || number.exponent >= 0) return number;
    number.significand = shiftRounded(number.significand, -number.exponent, rounding, number.negative);
    number.exponent = 0;
    return number;
}

u64 encodeFloat(const NumberFormat& format, Number number, ConvertRounding rounding, ConvertFlags flags) {
    bool dropped = number.negative && (flags.relu || flags.sat);
    if (number.kind == Class::nan) return flags.sat ? 0 : format.bits == 64 ? 0x7fffffffffffffffull : format.nan;
    if (dropped || (number.kind == Class::finite && number.significand == 0))
        return !dropped && number.negative ? 1ull << (format.bits - 1) : 0;
    if (rounding >= ConvertRounding::nearestInteger) number = roundToInteger(number, rounding);
    u64 infinity = infinityOf(format), last = 1ull << format.padding;
    u64 magnitude = infinity;
    if (number.kind == Class::finite) {
        magnitude = number.significand == 0 ? 0 : encodeMagnitude(format, number, rounding);
        if (magnitude >= infinity && !overflowsToInfinity(rounding, number.negative)) magnitude = infinity - last;
    }
    if (flags.satfinite) magnitude = std::min(magnitude, infinity - last);
    if (flags.sat) magnitude = std::min(magnitude, static_cast<u64>(format.bias) << (format.fraction + format.padding));
    if (flags.ftz && isSingle(format) && magnitude < 1u << 23) magnitude = 0;
    return magnitude | (number.negative ? 1ull << (format.bits - 1) : 0);
}

}  // namespace

const NumberFormat* numberFormat(Type type) {
    static constexpr NumberFormat u8s{8, true, false}, s8s{8, true, true}, u16s{16, true, false}, s16s{16, true, true},
        u32s{32, true, false}, s32s{32, true, true}, u64s{64, true, false}, s64s{64, true, true};
    static constexpr NumberFormat f16{16, false, true, 10, 15, 0, 0x7c00, 0x7fff}, bf16{16, false, true, 7, 127, 0, 0x7f80, 0x7fff},
        tf32{32, false, true, 10, 127, 13, 0x7f800000, 0x7fffffff}, f32{32, false, true, 23, 127, 0, 0x7f800000, 0x7fffffff},
        f64{64, false, true, 52, 1023}, e4m3{8, false, true, 3, 7, 0, 0x7f, 0x7f}, e5m2{8, false, true, 2, 15, 0, 0x7c, 0x7f};
    switch (type) {
        case Type::u8:
            return &u8s;
        case Type::s8:
            return &s8s;
        case Type::u16:
            return &u16s;
        case Type::s16:
            return &s16s;
        case Type::u32:
            return &u32s;
        case Type::s32:
            return &s32s;
        case Type::u64:
            return &u64s;
        case Type::s64:
            return &s64s;
        case Type::f16:
        case Type::f16x2:
            return &f16;
        case Type::bf16:
        case Type::bf16x2:
            return &bf16;
        case Type::tf32:
            return &tf32;
        case Type::f32:
            return &f32;
        case Type::f64:
            return &f64;
        case Type::e4m3x2:
            return &e4m3;
        case Type::e5m2x2:
            return &e5m2;
        default:
            return nullptr;
    }
}

u64 convertNumber(const NumberFormat& from, const NumberFormat& to, ConvertRounding rounding, ConvertFlags flags, u64 raw) {
    Number number = decode(from, raw);
    if (flags.ftz && isSingle(from) && (raw & 0x7f800000u) == 0) number.significand = 0;
    if (!to.integer) return encodeFloat(to, number, rounding, flags);
    if (from.integer && !flags.sat) return (number.negative ? 0 - number.significand : number.significand) & lowBits(to.bits);
    // The manual: NaN becomes zero, but the middle of the range where the source is f64 or the result has 64 bits.
    return encodeInteger(to, number, rounding, from.bits == 64 || to.bits == 64);
}

}  // namespace softcuda
