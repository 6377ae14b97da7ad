using System;
using System.Buffers;
using System.Globalization;
using System.Text;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>Writes one JSON object a line, in plain ASCII, as Python's <c>json.dumps</c> spells it.</summary>
/// <remarks>
/// Names that are not UTF-8 keep their bytes (as <see cref="NameText"/> maps them), which the JSON writer of .NET
/// cannot do: it refuses lone surrogates. The spelling is fixed, so that two manifests can be compared as text.
/// Not thread safe.
/// </remarks>
public sealed class JsonLine
{
    private readonly ArrayBufferWriter<byte> _bytes = new(4096);
    private bool _needsComma;

    /// <summary>What was written since <see cref="Clear"/>.</summary>
    public ReadOnlyMemory<byte> Written => _bytes.WrittenMemory;

    /// <summary>Bytes written since <see cref="Clear"/>.</summary>
    public int WrittenBytes => _bytes.WrittenCount;

    /// <summary>Forgets what was written; the place inside objects and arrays is kept.</summary>
    public void Clear() => _bytes.ResetWrittenCount();

    /// <summary>Takes back what was written after a place where a line began.</summary>
    /// <param name="lengthBytes">What <see cref="WrittenBytes"/> was there.</param>
    public void CutTo(int lengthBytes)
    {
        byte[] kept = _bytes.WrittenSpan[..lengthBytes].ToArray();
        _bytes.ResetWrittenCount();
        _bytes.Write(kept);
        _needsComma = false;
    }

    /// <summary>Opens an object, as a value or at the start of a line.</summary>
    public void BeginObject() => Open('{');

    /// <summary>Closes an object.</summary>
    public void EndObject() => Close('}');

    /// <summary>Opens an array.</summary>
    public void BeginArray() => Open('[');

    /// <summary>Closes an array.</summary>
    public void EndArray() => Close(']');

    /// <summary>Ends the line.</summary>
    public void EndLine()
    {
        Put((byte)'\n');
        _needsComma = false;
    }

    /// <summary>Writes the name of a member; its value follows.</summary>
    public void Name(string name)
    {
        Comma();
        Quote(name);
        Put(": "u8);
        _needsComma = false;
    }

    /// <summary>Writes the name of a member that is a name of the volume.</summary>
    public void Name(ReadOnlySpan<byte> name) => Name(NameText.Decode(name));

    /// <summary>Writes a string.</summary>
    public void Text(string text)
    {
        Comma();
        Quote(text);
        _needsComma = true;
    }

    /// <summary>Writes bytes of the volume as a string.</summary>
    public void Text(ReadOnlySpan<byte> name) => Text(NameText.Decode(name));

    /// <summary>Writes a number.</summary>
    public void Number(Int128 number)
    {
        Comma();
        Span<byte> digits = stackalloc byte[48];
        Invariant.Require(number.TryFormat(digits, out int written, default, CultureInfo.InvariantCulture));
        Put(digits[..written]);
        _needsComma = true;
    }

    /// <summary>Writes true or false.</summary>
    public void Boolean(bool value)
    {
        Comma();
        Put(value ? "true"u8 : "false"u8);
        _needsComma = true;
    }

    /// <summary>Writes a member with a string.</summary>
    public void Member(string name, string text)
    {
        Name(name);
        Text(text);
    }

    /// <summary>Writes a member with bytes of the volume.</summary>
    public void Member(string name, ReadOnlySpan<byte> text)
    {
        Name(name);
        Text(text);
    }

    /// <summary>Writes a member with a number.</summary>
    public void Member(string name, Int128 number)
    {
        Name(name);
        Number(number);
    }

    /// <summary>Writes a member with true or false.</summary>
    public void Member(string name, bool value)
    {
        Name(name);
        Boolean(value);
    }

    private void Open(char bracket)
    {
        Comma();
        Put((byte)bracket);
        _needsComma = false;
    }

    private void Close(char bracket)
    {
        Put((byte)bracket);
        _needsComma = true;
    }

    private void Comma()
    {
        if (_needsComma)
            Put(", "u8);
        _needsComma = false;
    }

    private void Quote(string text)
    {
        Put((byte)'"');
        foreach (char unit in text)
        {
            switch (unit)
            {
                case '"':
                    Put("\\\""u8);
                    break;
                case '\\':
                    Put("\\\\"u8);
                    break;
                case '\n':
                    Put("\\n"u8);
                    break;
                case '\r':
                    Put("\\r"u8);
                    break;
                case '\t':
                    Put("\\t"u8);
                    break;
                case '\f':
                    Put("\\f"u8);
                    break;
                case '\b':
                    Put("\\b"u8);
                    break;
                case >= ' ' and <= '~':
                    Put((byte)unit);
                    break;
                default:
                    Put(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}")));
                    break;
            }
        }

        Put((byte)'"');
    }

    private void Put(byte value)
    {
        _bytes.GetSpan(1)[0] = value;
        _bytes.Advance(1);
    }

    private void Put(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);
}
