using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ScoutFs.Volume.Primitives;

/// <summary>The only way from bytes to on-disk structs: one bounds check, no copy, no allocation.</summary>
/// <remarks>
/// Every type used with this class is an <c>[OnDisk]</c> struct: pack 1, fields of <c>Le*</c>, <c>byte</c> and inline
/// byte arrays only, so that any byte content is a valid value and alignment does not matter.
/// </remarks>
public static class Disk
{
    /// <summary>Overlays one struct at a byte offset.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The struct does not fit; callers prove the fit first.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref T Ref<T>(Span<byte> bytes, int offsetBytes = 0)
        where T : unmanaged
        => ref MemoryMarshal.AsRef<T>(bytes.Slice(offsetBytes, Unsafe.SizeOf<T>()));

    /// <summary>Overlays one struct, read only, at a byte offset.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The struct does not fit; callers prove the fit first.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref readonly T Ref<T>(ReadOnlySpan<byte> bytes, int offsetBytes = 0)
        where T : unmanaged
        => ref MemoryMarshal.AsRef<T>(bytes.Slice(offsetBytes, Unsafe.SizeOf<T>()));

    /// <summary>Overlays <paramref name="count"/> consecutive structs at a byte offset.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They do not fit; callers prove the fit first.</exception>
    public static Span<T> Slice<T>(Span<byte> bytes, int offsetBytes, int count)
        where T : unmanaged
        => MemoryMarshal.Cast<byte, T>(bytes.Slice(offsetBytes, checked(count * Unsafe.SizeOf<T>())));

    /// <summary>Overlays <paramref name="count"/> consecutive structs, read only, at a byte offset.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They do not fit; callers prove the fit first.</exception>
    public static ReadOnlySpan<T> Slice<T>(ReadOnlySpan<byte> bytes, int offsetBytes, int count)
        where T : unmanaged
        => MemoryMarshal.Cast<byte, T>(bytes.Slice(offsetBytes, checked(count * Unsafe.SizeOf<T>())));

    /// <summary>The bytes of a struct, to hash, compare or copy them.</summary>
    public static ReadOnlySpan<byte> Bytes<T>(ref readonly T value)
        where T : unmanaged
        => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));

    /// <summary>The writable bytes of a struct.</summary>
    public static Span<byte> MutableBytes<T>(ref T value)
        where T : unmanaged
        => MemoryMarshal.AsBytes(new Span<T>(ref value));

    /// <summary>Size of an on-disk struct in bytes.</summary>
    public static int SizeOf<T>()
        where T : unmanaged
        => Unsafe.SizeOf<T>();
}
