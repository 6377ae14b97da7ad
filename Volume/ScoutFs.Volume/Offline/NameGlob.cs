using System;

namespace ScoutFs.Volume.Offline;

/// <summary>A pattern for names as shells have it: <c>*</c>, <c>?</c>, <c>[a-z]</c>, <c>[!a-z]</c>, <c>\</c>.</summary>
/// <remarks>
/// <c>?</c> and brackets stand for one character, or for one byte where the name is not UTF-8. A bracket that is not
/// closed stands for itself. Time is bounded by the product of both lengths. Immutable.
/// </remarks>
public sealed class NameGlob
{
    private readonly string _pattern;

    /// <summary>Creates a pattern.</summary>
    public NameGlob(string pattern) => _pattern = pattern;

    /// <summary>True when the whole name matches.</summary>
    public bool IsMatch(ReadOnlySpan<byte> name)
    {
        string text = NameText.Decode(name);
        int at = 0;
        int pattern = 0;

        // Where to go on when a character does not match: after the last star, which then takes one more.
        int starPattern = -1;
        int starAt = 0;
        while (at < text.Length)
        {
            if (pattern < _pattern.Length && _pattern[pattern] == '*')
            {
                starPattern = ++pattern;
                starAt = at;
            }
            else if (MatchOne(text, at, pattern, out int textUnits, out int patternUnits))
            {
                at += textUnits;
                pattern += patternUnits;
            }
            else if (starPattern >= 0)
            {
                starAt += UnitsAt(text, starAt);
                at = starAt;
                pattern = starPattern;
            }
            else
            {
                return false;
            }
        }

        while (pattern < _pattern.Length && _pattern[pattern] == '*')
            pattern++;
        return pattern == _pattern.Length;
    }

    private static int UnitsAt(string text, int at) =>
        at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;

    private static int ScalarAt(string text, int at) =>
        UnitsAt(text, at) == 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at];

    private bool MatchOne(string text, int at, int pattern, out int textUnits, out int patternUnits)
    {
        textUnits = UnitsAt(text, at);
        patternUnits = 0;
        if (pattern == _pattern.Length)
            return false;
        int scalar = ScalarAt(text, at);
        if (_pattern[pattern] == '?')
        {
            patternUnits = 1;
            return true;
        }

        if (_pattern[pattern] == '[' && TryMatchSet(scalar, pattern, out patternUnits, out bool isMatch))
            return isMatch;
        int escape = _pattern[pattern] == '\\' && pattern + 1 < _pattern.Length ? 1 : 0;
        patternUnits = escape + UnitsAt(_pattern, pattern + escape);
        return ScalarAt(_pattern, pattern + escape) == scalar;
    }

    // A set in brackets; false when it is not closed.
    private bool TryMatchSet(int scalar, int start, out int patternUnits, out bool isMatch)
    {
        patternUnits = 0;
        isMatch = false;
        int at = start + 1;
        bool isNegated = at < _pattern.Length && _pattern[at] is '!' or '^';
        if (isNegated)
            at++;
        int first = at;
        bool isIn = false;
        while (at < _pattern.Length && (_pattern[at] != ']' || at == first))
        {
            int low = ScalarAt(_pattern, at);
            at += UnitsAt(_pattern, at);
            int high = low;
            if (at + 1 < _pattern.Length && _pattern[at] == '-' && _pattern[at + 1] != ']')
            {
                high = ScalarAt(_pattern, at + 1);
                at += 1 + UnitsAt(_pattern, at + 1);
            }

            isIn |= scalar >= low && scalar <= high;
        }

        if (at >= _pattern.Length)
            return false;
        patternUnits = at + 1 - start;
        isMatch = isIn != isNegated;
        return true;
    }
}
