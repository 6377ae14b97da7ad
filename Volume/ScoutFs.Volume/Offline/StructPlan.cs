using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Volume.Offline;

/// <summary>The fields of an on-disk structure with their names and places, to print any structure.</summary>
/// <remarks>
/// Taken from the declarations, so that a field that is added there is printed, too. Names are those of the format
/// document: <c>meta_alloc[0].total_len</c>. Ids and hashes are hexadecimal texts. Padding is left out. Made once a
/// type; reading fields is plain.
/// </remarks>
internal sealed class StructPlan
{
    // Arrays longer than this print only elements that are not zero.
    private const int ShownElements = 2;

    private readonly List<Field> _fields = [];

    private StructPlan(Type type)
    {
        Add(type, string.Empty, 0, skipsZero: false);
    }

    private enum Kind
    {
        Unsigned,
        Signed,
        Hexadecimal,
        Bytes,
        Key,
        Uuid,
        Address,
    }

    /// <summary>Makes the plan of a structure.</summary>
    public static StructPlan Of<T>()
        where T : unmanaged => new(typeof(T));

    /// <summary>Adds all fields of a structure to a record.</summary>
    /// <param name="bytes">The structure; may be shorter, as an inode of version 1 is: then fields are left
    /// out.</param>
    /// <param name="record">Receives the fields.</param>
    public void Read(ReadOnlySpan<byte> bytes, DumpRecord record)
    {
        foreach (var field in _fields)
        {
            if (field.Offset + field.Length > bytes.Length)
                continue;
            var value = bytes.Slice(field.Offset, field.Length);
            if (field.SkipsZero && !value.ContainsAnyExcept((byte)0))
                continue;
            switch (field.Kind)
            {
                case Kind.Unsigned:
                    record.Add(field.Name, Unsigned(value));
                    break;
                case Kind.Hexadecimal:
                    record.Add(field.Name, Unsigned(value).ToString(
                        field.Length == 4 ? "x8" : "x16", CultureInfo.InvariantCulture));
                    break;
                case Kind.Signed:
                    record.Add(field.Name, BinaryPrimitives.ReadInt64LittleEndian(value));
                    break;
                case Kind.Key:
                    record.Add(field.Name, Disk.Ref<ItemKey>(value).ToString());
                    break;
                case Kind.Uuid:
                    record.Add(field.Name, new Guid(value, bigEndian: true).ToString("D"));
                    break;
                case Kind.Address:
                    record.Add(field.Name, new QuorumSlot(0, (uint)Unsigned(value), 0).AddressText);
                    break;
                default:
                    record.Add(field.Name, Convert.ToHexStringLower(value));
                    break;
            }
        }
    }

    private static ulong Unsigned(ReadOnlySpan<byte> value)
    {
        ulong number = 0;
        for (int i = value.Length - 1; i >= 0; i--)
            number = (number << 8) | value[i];
        return number;
    }

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder(name.Length + 8);
        for (int i = 0; i < name.Length; i++)
        {
            if (char.IsUpper(name[i]) && i > 0)
                _ = text.Append('_');
            _ = text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }

    private static int SizeOf(Type type) =>
        type.GetCustomAttribute<OnDiskAttribute>()?.SizeBytes
        ?? (type == typeof(byte) ? 1
            : type == typeof(Le16) ? 2
            : type == typeof(Le32) ? 4
            : type == typeof(Le64) || type == typeof(LeI64) ? 8
            : ArrayOf(type) is var (element, length) ? SizeOf(element) * length
            : throw new InvariantException($"Invariant broken: {type.Name} is no type of the format"));

    private static (Type Element, int Length) ArrayOf(Type type)
    {
        var array = type.GetCustomAttribute<InlineArrayAttribute>();
        Invariant.Require(array is not null);
        var element = type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic)[0].FieldType;
        return (element, array.Length);
    }

    private void Add(Type type, string name, int offset, bool skipsZero)
    {
        if (type == typeof(ItemKey))
        {
            _fields.Add(new Field(name, offset, SizeOf(type), Kind.Key, skipsZero));
        }
        else if (type.GetCustomAttribute<OnDiskAttribute>() is not null)
        {
            foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public))
            {
                if (field.Name == "Pad")
                    continue;
                string full = (name.Length > 0 ? name + "." : string.Empty) + SnakeCase(field.Name);
                int at = field.GetCustomAttribute<AtAttribute>()!.OffsetBytes;
                Add(field.FieldType, full, offset + at, skipsZero);
            }
        }
        else if (type.GetCustomAttribute<InlineArrayAttribute>() is not null)
        {
            AddArray(type, name, offset, skipsZero);
        }
        else
        {
            string last = name[(name.LastIndexOf('.') + 1)..];
            var kind = type == typeof(LeI64) ? Kind.Signed
                : last is "addr" ? Kind.Address
                : last is "fsid" or "rid" or "crc" or "magic" or "hash" ? Kind.Hexadecimal
                : Kind.Unsigned;
            _fields.Add(new Field(name, offset, SizeOf(type), kind, skipsZero));
        }
    }

    private void AddArray(Type type, string name, int offset, bool skipsZero)
    {
        var (element, length) = ArrayOf(type);
        int size = SizeOf(element);
        if (type == typeof(UuidBytes))
        {
            _fields.Add(new Field(name, offset, length, Kind.Uuid, skipsZero));
            return;
        }

        if (element == typeof(byte))
        {
            _fields.Add(new Field(name, offset, length, Kind.Bytes, SkipsZero: true));
            return;
        }

        for (int i = 0; i < length; i++)
        {
            string index = string.Create(CultureInfo.InvariantCulture, $"{name}[{i}]");
            Add(element, index, offset + (i * size), skipsZero || length > ShownElements);
        }
    }

    private readonly record struct Field(string Name, int Offset, int Length, Kind Kind, bool SkipsZero);
}
