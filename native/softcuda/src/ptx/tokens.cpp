// Reading tokens, numbers and variable declarations.
#include <cstdlib>
#include <cstring>

#include "parser.h"

namespace softcuda::ptx {

void TokenStream::failAt(u32 line, const std::string& what) const { throw PtxError(module_ + ":" + std::to_string(line) + ": " + what); }

void TokenStream::expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "', found '" + peek().text + "'");
}

std::string TokenStream::expectWord(const char* what) {
    if (peek().kind != Token::Kind::word) fail(std::string("expected ") + what + ", found '" + peek().text + "'");
    return next().text;
}

i64 TokenStream::expectInteger() {
    bool minus = accept('-');
    const Token& token = next();
    Operand operand;
    if (token.kind == Token::Kind::number) parseNumber(*this, minus, token, operand);
    if (operand.kind != Operand::Kind::integer) failAt(token.line, "expected an integer, found '" + token.text + "'");
    return static_cast<i64>(operand.bits);
}

void TokenStream::skipBraces() {
    expect('{');
    for (u32 depth = 1; depth > 0;) {
        const Token& token = next();
        if (token.kind == Token::Kind::end) fail("a '{' without its '}'");
        if (token.is('{')) depth++;
        if (token.is('}')) depth--;
    }
}

std::string TokenStream::text(std::size_t begin, std::size_t end) const {
    std::string text;
    for (std::size_t i = begin; i < end; i++) {
        char c = source_[i];
        bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!blank)
            text += c;
        else if (!text.empty() && text.back() != ' ')
            text += ' ';
    }
    return text;
}

void parseNumber(TokenStream& in, bool minus, const Token& token, Operand& operand) {
    const std::string& text = token.text;
    char* end = nullptr;
    bool zero = text.size() > 2 && text[0] == '0';
    if (zero && (text[1] == 'f' || text[1] == 'F')) {
        operand.kind = Operand::Kind::real32;
        operand.bits = std::strtoull(text.c_str() + 2, &end, 16) ^ (minus ? 0x80000000u : 0);
    } else if (zero && (text[1] == 'd' || text[1] == 'D')) {
        operand.kind = Operand::Kind::real64;
        operand.bits = std::strtoull(text.c_str() + 2, &end, 16) ^ (minus ? 1ull << 63 : 0);
    } else if (text.find_first_of(".eE") != std::string::npos && !(zero && (text[1] == 'x' || text[1] == 'X'))) {
        operand.kind = Operand::Kind::real64;
        double value = std::strtod(text.c_str(), &end);
        if (minus) value = -value;
        std::memcpy(&operand.bits, &value, sizeof value);
    } else {
        operand.kind = Operand::Kind::integer;
        bool binary = zero && (text[1] == 'b' || text[1] == 'B');
        operand.bits = binary ? std::strtoull(text.c_str() + 2, &end, 2) : std::strtoull(text.c_str(), &end, 0);
        if (minus) operand.bits = 0 - operand.bits;
        if (*end == 'U' || *end == 'u') end++;
    }
    if (*end != '\0') in.failAt(token.line, "not a number: '" + text + "'");
}

Space spaceOf(const Token& token) {
    if (token.is(".global")) return Space::global;
    if (token.is(".const")) return Space::constant;
    if (token.is(".shared")) return Space::shared;
    if (token.is(".local")) return Space::local;
    if (token.is(".param")) return Space::param;
    return Space::none;
}

namespace {

void putValue(TokenStream& in, Variable& variable, u32 width) {
    std::size_t at = variable.content.size();
    variable.content.resize(at + width);
    if (in.peek().kind == Token::Kind::word) {
        std::string name = in.next().text;
        bool generic = name == "generic";
        if (generic) {
            in.expect('(');
            name = in.expectWord("a variable");
            in.expect(')');
        }
        if (width != 8) in.fail("only 64-bit initializers can hold an address");
        i64 addend = in.accept('+') ? in.expectInteger() : 0;
        variable.relocations.push_back({at, name, addend});
        return;
    }
    bool minus = in.accept('-');
    const Token& token = in.next();
    Operand value;
    if (token.kind != Token::Kind::number) in.failAt(token.line, "unexpected initializer '" + token.text + "'");
    parseNumber(in, minus, token, value);
    if (value.kind == Operand::Kind::real64 && width == 4) {
        double wide;
        std::memcpy(&wide, &value.bits, 8);
        float narrow = static_cast<float>(wide);
        std::memcpy(&value.bits, &narrow, 4);
    }
    std::memcpy(variable.content.data() + at, &value.bits, width);
}

void putValues(TokenStream& in, Variable& variable, u32 width) {
    if (!in.accept('{')) return putValue(in, variable, width);
    while (!in.accept('}')) {
        if (in.peek().is('{'))
            putValues(in, variable, width);
        else
            putValue(in, variable, width);
        in.accept(',');
    }
}

}  // namespace

Variable parseVariable(TokenStream& in, Space space) {
    Variable variable;
    variable.space = space;
    variable.line = in.peek().line;
    u32 vector = 1;
    for (;; in.next()) {
        const Token& token = in.peek();
        if (token.kind != Token::Kind::word || token.text[0] != '.') break;
        if (token.is(".align")) {
            in.next();
            variable.align = static_cast<u32>(std::strtoul(in.peek().text.c_str(), nullptr, 0));
        } else if (token.is(".v2") || token.is(".v4")) {
            vector = token.text[2] - '0';
        } else if (typeOf(token.text.substr(1)) != Type::none) {
            variable.type = typeOf(token.text.substr(1));
        } else if (!token.is(".ptr") && spaceOf(token) == Space::none) {
            in.fail("unknown attribute '" + token.text + "' of a variable");
        }
    }
    if (variable.type == Type::none) in.fail("a variable without a type");
    u32 width = std::max(1u, bitsOf(variable.type) / 8);
    variable.align = std::max(variable.align, variable.type == Type::b8 && vector == 1 ? 1u : width * vector);
    variable.name = in.expectWord("a variable's name");
    u64 elements = vector;
    while (in.accept('[')) {
        elements *= in.peek().is(']') ? 0 : static_cast<u64>(in.expectInteger());
        in.expect(']');
    }
    if (in.accept('=')) putValues(in, variable, width);
    variable.size = std::max<u64>(elements * width, variable.content.size());
    return variable;
}

}  // namespace softcuda::ptx
