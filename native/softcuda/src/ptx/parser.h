// The parser's parts: TokenStream reads tokens, BodyParser one function's body, parser.cpp the module around them.
#pragma once

#include "ast.h"
#include "lexer.h"

namespace softcuda::ptx {

// Where `.loc` says that the next instructions come from; `inlined` is the place of the call when they were inlined.
struct Location {
    SourceLine at;
    SourceLine inlined;
};

class TokenStream {
public:
    TokenStream(const std::string& source, const std::string& module)
        : source_(source), module_(module), tokens_(tokenize(source, module)) {}

    const Token& peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
    const Token& next() { return tokens_[at_ < tokens_.size() - 1 ? at_++ : at_]; }
    bool accept(char c) { return peek().is(c) ? (next(), true) : false; }
    bool accept(const char* word) { return peek().is(word) ? (next(), true) : false; }
    void expect(char c);
    std::string expectWord(const char* what);
    i64 expectInteger();
    // Skips a balanced { ... } whose opening brace is next.
    void skipBraces();
    std::string text(std::size_t begin, std::size_t end) const;
    [[noreturn]] void fail(const std::string& what) const { failAt(peek().line, what); }
    [[noreturn]] void failAt(u32 line, const std::string& what) const;

private:
    const std::string& source_;
    const std::string module_;
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
};

// Puts the value of a number token (with an optional sign before it) into `operand`.
void parseNumber(TokenStream& in, bool minus, const Token& token, Operand& operand);

// .global, .const, .shared, .local or .param declarations, from after the space directive to before `;`, `,` or `)`.
Variable parseVariable(TokenStream& in, Space space);
// The space that a directive such as ".global" names, or Space::none.
Space spaceOf(const Token& token);

// From after `{` to after the matching `}`. `locations` gets every `.loc` met; Instruction::source.file holds an index into it + 1.
void parseBody(TokenStream& in, Function& function, std::vector<Location>& locations);

}  // namespace softcuda::ptx
