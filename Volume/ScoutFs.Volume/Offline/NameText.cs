using System;
using System.Buffers;
using System.Globalization;
using System.Text;

namespace ScoutFs.Volume.Offline;

/// <summary>Names, which are bytes of no particular encoding, as text and back.</summary>
/// <remarks>
/// The lossless form takes UTF-8 where the bytes are UTF-8, and a lone surrogate U+DC00 + byte for every other byte, as
/// Python does under the name surrogateescape and the Windows front end does, too. The printable form is for people
/// and terminals: whatever could not be shown, or could make a terminal do something, is written as <c>\xNN</c>.
/// Contract: pure, any thread.
/// </remarks>
public static class NameText
{
    private const char EscapeFirst = '\udc80';
    private const char EscapeLast = '\udcff';
    private const char EscapeOffset = '\udc00';

    /// <summary>Bytes as text, losslessly.</summary>
    public static string Decode(ReadOnlySpan<byte> name)
    {
        var text = new StringBuilder(name.Length);
        while (name.Length > 0)
        {
            bool isValid = Rune.DecodeFromUtf8(name, out var rune, out int consumed) == OperationStatus.Done;
            if (isValid)
                _ = text.Append(rune.ToString());
            for (int i = 0; i < consumed && !isValid; i++)
                _ = text.Append((char)(EscapeOffset + name[i]));
            name = name[consumed..];
        }

        return text.ToString();
    }

    /// <summary>Text as bytes, the inverse of <see cref="Decode"/>.</summary>
    /// <param name="text">Any text without lone surrogates other than U+DC80..U+DCFF.</param>
    /// <param name="name">The bytes; empty when false is returned.</param>
    /// <returns>False for other lone surrogates, and for escapes of bytes that are valid UTF-8 together.</returns>
    public static bool TryEncode(string text, out byte[] name)
    {
        var bytes = new ArrayBufferWriter<byte>(text.Length + 16);
        for (int i = 0; i < text.Length;)
        {
            if (Rune.TryGetRuneAt(text, i, out var rune))
            {
                bytes.Advance(rune.EncodeToUtf8(bytes.GetSpan(4)));
                i += rune.Utf16SequenceLength;
                continue;
            }

            char unit = text[i++];
            if (unit is < EscapeFirst or > EscapeLast)
            {
                name = [];
                return false;
            }

            bytes.GetSpan(1)[0] = (byte)(unit - EscapeOffset);
            bytes.Advance(1);
        }

        name = bytes.WrittenSpan.ToArray();
        if (string.Equals(Decode(name), text, StringComparison.Ordinal))
            return true;
        name = [];
        return false;
    }

    /// <summary>Bytes for people: UTF-8 as it is, control characters and other bytes as <c>\xNN</c>.</summary>
    public static string Printable(ReadOnlySpan<byte> name)
    {
        var text = new StringBuilder(name.Length);
        while (name.Length > 0)
        {
            bool isValid = Rune.DecodeFromUtf8(name, out var rune, out int consumed) == OperationStatus.Done;
            bool isShown = isValid && IsShown(rune);
            if (isShown)
                _ = text.Append(rune.ToString());
            for (int i = 0; i < consumed && !isShown; i++)
                _ = text.Append(CultureInfo.InvariantCulture, $"\\x{name[i]:x2}");
            name = name[consumed..];
        }

        return text.ToString();
    }

    // Format characters (the bidirectional overrides among them) can make a name look like another one.
    private static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned => false,
        _ => true,
    };
}
