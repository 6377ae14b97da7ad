using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Tidy;

/// <summary>One field of an on-disk struct: what its attribute declares and what the runtime does.</summary>
/// <param name="Name">Name in the source.</param>
/// <param name="Type">Type of the field.</param>
/// <param name="DeclaredOffset">From <see cref="AtAttribute"/>; null when the attribute is missing.</param>
/// <param name="RealOffset">Where the runtime puts the field, in bytes.</param>
/// <param name="SizeBytes">What the field takes.</param>
public sealed record OnDiskField(string Name, Type Type, int? DeclaredOffset, int RealOffset, int SizeBytes);

/// <summary>Layout of one struct marked <see cref="OnDiskAttribute"/>, as it is in memory.</summary>
public sealed class OnDiskStruct
{
    private static readonly Type[] Integers = [typeof(byte), typeof(Le16), typeof(Le32), typeof(Le64), typeof(LeI64)];

    /// <summary>Measures a struct.</summary>
    public OnDiskStruct(Type type)
    {
        Type = type;
        DeclaredSize = type.GetCustomAttribute<OnDiskAttribute>()?.SizeBytes
            ?? throw new ArgumentException($"{type} has no OnDisk attribute", nameof(type));
        Since = type.GetCustomAttribute<OnDiskAttribute>()!.Since;
        RealSize = SizeOf(type);
        Fields =
        [
            .. InstanceFields(type)
                .Select(field => new OnDiskField(
                    field.Name,
                    field.FieldType,
                    field.GetCustomAttribute<AtAttribute>()?.OffsetBytes,
                    OffsetOf(field),
                    SizeOf(field.FieldType)))
                .OrderBy(field => field.RealOffset),
        ];
    }

    /// <summary>Every on-disk struct of the engine, by name.</summary>
    public static IReadOnlyList<OnDiskStruct> All { get; } =
    [
        .. typeof(OnDiskAttribute).Assembly.GetTypes()
            .Where(type => type.IsDefined(typeof(OnDiskAttribute)))
            .OrderBy(type => type.Name, StringComparer.Ordinal)
            .Select(type => new OnDiskStruct(type)),
    ];

    /// <summary>The struct.</summary>
    public Type Type { get; }

    /// <summary>Size that the attribute declares.</summary>
    public int DeclaredSize { get; }

    /// <summary>First format version that has the struct.</summary>
    public int Since { get; }

    /// <summary>Size in memory, which is the distance of two neighbours in an array.</summary>
    public int RealSize { get; }

    /// <summary>Fields in order of their place.</summary>
    public IReadOnlyList<OnDiskField> Fields { get; }

    /// <summary>Everything that is wrong with the layout; empty when it is proven.</summary>
    public IEnumerable<string> Faults()
    {
        string name = Type.Name;
        if (!Type.IsLayoutSequential || Type.StructLayoutAttribute?.Pack != 1)
            yield return $"{name}: needs StructLayout(LayoutKind.Sequential, Pack = 1)";
        if (RealSize != DeclaredSize)
            yield return $"{name}: {RealSize} bytes, declared are {DeclaredSize}";
        int end = 0;
        foreach (OnDiskField field in Fields)
        {
            if (field.DeclaredOffset is null)
                yield return $"{name}.{field.Name}: has no At attribute";
            else if (field.DeclaredOffset != field.RealOffset)
                yield return $"{name}.{field.Name}: at {field.RealOffset}, declared is {field.DeclaredOffset}";
            if (field.RealOffset != end)
                yield return $"{name}.{field.Name}: at {field.RealOffset}, the field before it ends at {end}";
            end = field.RealOffset + field.SizeBytes;
            if (!IsAllowed(field.Type))
                yield return $"{name}.{field.Name}: {field.Type.Name} depends on the host; use byte, Le16, Le32, " +
                    "Le64, LeI64, an inline array of them, or an OnDisk struct";
        }

        if (end != RealSize)
            yield return $"{name}: fields end at {end}, the struct at {RealSize}";
    }

    /// <summary>True for types whose bytes mean the same on every host.</summary>
    private static bool IsAllowed(Type type)
    {
        if (Integers.Contains(type) || type.IsDefined(typeof(OnDiskAttribute)))
            return true;
        InlineArrayAttribute? array = type.GetCustomAttribute<InlineArrayAttribute>();
        Type? element = array is null ? null : InstanceFields(type).Single().FieldType;
        return element is not null && IsAllowed(element) && SizeOf(type) == array!.Length * SizeOf(element);
    }

    /// <summary>Fields of an instance, private ones as well.</summary>
    public static FieldInfo[] InstanceFields(Type type)
        => type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);

    private static int SizeOf(Type type)
        => (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    /// <summary>
    /// The distance of a field's address from its struct's. Marshal.OffsetOf would answer for the marshalled form,
    /// which inline arrays do not have.
    /// </summary>
    private static int OffsetOf(FieldInfo field)
    {
        var method = new DynamicMethod(
            "OffsetOf", typeof(int), [field.DeclaringType!.MakeByRefType()], typeof(OnDiskStruct).Module, true);
        ILGenerator il = method.GetILGenerator();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldflda, field);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Sub);
        il.Emit(OpCodes.Conv_I4);
        il.Emit(OpCodes.Ret);
        return (int)method.Invoke(null, [Activator.CreateInstance(field.DeclaringType!)])!;
    }
}
