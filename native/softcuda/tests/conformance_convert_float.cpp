// Conformance of cvt between floating-point formats: narrowing, widening, integral values, packed halves, tf32 and 8-bit formats.
#include "conformance_formats.h"

using namespace conformance;

namespace {

// --- Between floating-point formats ---------------------------------------------------------------------------------------------------

// Values of S near the ties and borders of a narrower format.
template <class S>
std::vector<S> nearNarrow(const Format& format) {
    std::vector<S> values;
    for (float v : nearFormat(format, 3)) values.push_back(floatOf<S>(v, Rounding::even, {}));
    if constexpr (std::is_same_v<S, double>)
        for (std::size_t k = values.size(); k-- > 0;) values.push_back(std::nextafter(values[k], k % 3 ? 0.0 : 1e300));
    return values;
}

template <class D, class S>
void between(const std::string& rounding, Rounding how, const Extras& extras) {
    Form& added =
        form(cvt<D, S>(rounding + extras.text()), [how, extras](S x) -> D { return floatOf<D>(exact(x, extras.ftz), how, extras); });
    if (sizeof(D) == 8 || std::is_same_v<S, Bf16>) added.anyNaN<D>();
    add(added, nearNarrow<S>(formatOf<D>()));
}

// Without and with .ftz and .sat, where the types have them.
template <class D, class S>
void betweenAll(const std::string& rounding, Rounding how) {
    constexpr bool kSingle = std::is_same_v<D, float> || std::is_same_v<S, float>;
    for (bool ftz : {false, true})
        for (bool sat : {false, true})
            if ((!ftz || kSingle) && (!sat || (!std::is_same_v<D, Bf16> && !std::is_same_v<S, Bf16>)))
                between<D, S>(rounding, how, {ftz, sat, false, false});
}

template <class D, class S>
void narrowing() {
    for (const auto& [name, rounding] : kFloatRoundings) betweenAll<D, S>(name, rounding);
}

void widening() {
    betweenAll<float, F16>("", Rounding::even);
    betweenAll<double, F16>("", Rounding::even);
    betweenAll<float, Bf16>("", Rounding::even);
    betweenAll<double, Bf16>("", Rounding::even);
    betweenAll<double, float>("", Rounding::even);
}

void toHalves() {
    for (std::size_t r : {0, 1})
        for (bool relu : {false, true})
            for (bool satfinite : {false, true}) {
                if (!relu && !satfinite) continue;
                between<F16, float>(kFloatRoundings[r].name, kFloatRoundings[r].rounding, {false, false, relu, satfinite});
                between<Bf16, float>(kFloatRoundings[r].name, kFloatRoundings[r].rounding, {false, false, relu, satfinite});
            }
}

// Integral values in a floating-point format; without a rounding the value is kept.
template <class T>
T integralOf(T x, const Rounding* rounding, const Extras& extras) {
    long double value = exact(x, extras.ftz);
    if (rounding != nullptr && std::isfinite(value)) value = std::copysign(toIntegral(value, *rounding), value);
    return floatOf<T>(value, Rounding::even, extras);
}

template <class T>
void integral(const std::string& name, const Rounding* rounding) {
    for (bool ftz : {false, true})
        for (bool sat : {false, true}) {
            Extras extras{ftz, sat, false, false};
            if ((ftz && !std::is_same_v<T, float>) || (sat && std::is_same_v<T, Bf16>)) continue;
            Form& added = form(cvt<T, T>(name + extras.text()), [=](T x) -> T { return integralOf(x, rounding, extras); });
            if (sizeof(T) == 8) added.anyNaN<T>();
            add(added, nearIntegers<T>());
        }
}

void integrals() {
    for (const auto& entry : kIntegerRoundings) {
        integral<F16>(entry.name, &entry.rounding);
        integral<Bf16>(entry.name, &entry.rounding);
        integral<float>(entry.name, &entry.rounding);
        integral<double>(entry.name, &entry.rounding);
    }
    integral<F16>("", nullptr);
    integral<float>("", nullptr);
    integral<double>("", nullptr);
}

// --- Packed and special formats -------------------------------------------------------------------------------------------------------

void addPair(Form& form, const Format& format) {
    for (u32 k : {0, 1})
        for (float v : nearFormat(format, 11 + k)) form.inputs[k].push_back(toRaw(v));
}

// d = {a, b}, the first in the high half.
template <class D>
void packed(const Format& format, const std::string& type, const RoundingName& rounding, const Extras& extras) {
    Form& added = form("cvt" + std::string(rounding.name) + (extras.satfinite && format.bits == 8 ? ".satfinite" : "") +
                           (extras.relu ? ".relu" : "") + (extras.satfinite && format.bits != 8 ? ".satfinite" : "") + "." + type + ".f32",
                       [=, &format](float a, float b) -> D {
                           u64 high = convertedTo(format, exact(a), rounding.rounding, extras);
                           return static_cast<D>(high << format.bits | convertedTo(format, exact(b), rounding.rounding, extras));
                       });
    addPair(added, format);
}

void toPacked() {
    for (bool relu : {false, true}) {
        for (std::size_t r : {0, 1})
            for (bool satfinite : {false, true}) {
                packed<u32>(kF16, "f16x2", kFloatRoundings[r], {false, false, relu, satfinite});
                packed<u32>(kBf16, "bf16x2", kFloatRoundings[r], {false, false, relu, satfinite});
            }
        packed<u16>(kE4m3, "e4m3x2", kFloatRoundings[0], {false, false, relu, true});
        packed<u16>(kE5m2, "e5m2x2", kFloatRoundings[0], {false, false, relu, true});
    }
}

void eightBits(const Format& format) {
    for (bool relu : {false, true}) {
        Extras extras{false, false, relu, true};
        std::string reluText = relu ? ".relu." : ".";
        Form& down = form("cvt.rn.satfinite" + reluText + format.name + ".f16x2", [&format, extras](u32 x) -> u16 {
            u64 high = convertedTo(format, decoded(kF16, x >> 16), Rounding::even, extras);
            return static_cast<u16>(high << 8 | convertedTo(format, decoded(kF16, x & 0xffff), Rounding::even, extras));
        });
        for (float v : nearFormat(format, 5)) {
            u64 bits = convertedTo(kF16, v, Rounding::even);
            down.inputs[0].push_back(bits << 16 | (bits ^ 0x8001));
        }
        extras.satfinite = false;
        form("cvt.rn" + reluText + "f16x2." + format.name, [&format, extras](u16 x) -> u32 {
            u64 high = convertedTo(kF16, decoded(format, x >> 8), Rounding::even, extras);
            return static_cast<u32>(high << 16 | convertedTo(kF16, decoded(format, x & 0xff), Rounding::even, extras));
        });
    }
}

void tf32() {
    RoundingName away{".rna", Rounding::away};
    for (const RoundingName& rounding : {away, kFloatRoundings[0], kFloatRoundings[1]})
        for (bool relu : {false, true})
            for (bool satfinite : {false, true}) {
                if (relu && rounding.rounding == Rounding::away) continue;
                Extras extras{false, false, relu, satfinite};
                std::string text =
                    "cvt" + std::string(rounding.name) + (satfinite ? ".satfinite" : "") + (relu ? ".relu" : "") + ".tf32.f32";
                Form& added = form(text, [=](float x) -> u32 {
                    u64 bits = convertedTo(kTf32, exact(x), rounding.rounding, extras);
                    return static_cast<u32>(bits == kTf32.nan ? 0x7fffffff : bits << 13);
                });
                if (satfinite && rounding.rounding != Rounding::away) added.target(100);
                add(added, nearFormat(kTf32, 9));
            }
}

}  // namespace

int main() {
    narrowing<float, double>(), narrowing<F16, double>(), narrowing<Bf16, double>();
    narrowing<F16, float>(), narrowing<Bf16, float>();
    narrowing<F16, Bf16>(), narrowing<Bf16, F16>();
    widening();
    toHalves();
    integrals();
    toPacked();
    eightBits(kE4m3), eightBits(kE5m2);
    tf32();
    return runForms("conformance_convert_float");
}
