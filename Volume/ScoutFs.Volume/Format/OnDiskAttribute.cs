using System;

namespace ScoutFs.Volume.Format;

/// <summary>Marks a struct whose bytes are on disk (and on the wire). A test proves size and offsets.</summary>
[AttributeUsage(AttributeTargets.Struct)]
public sealed class OnDiskAttribute : Attribute
{
    /// <summary>Declares the size.</summary>
    /// <param name="sizeBytes">Size of the struct in bytes.</param>
    public OnDiskAttribute(int sizeBytes) => SizeBytes = sizeBytes;

    /// <summary>Size of the struct in bytes.</summary>
    public int SizeBytes { get; }

    /// <summary>First format version that has the structure, 1 or 2.</summary>
    public int Since { get; init; } = 1;
}

/// <summary>Declares the byte offset of a field inside its <see cref="OnDiskAttribute"/> struct.</summary>
[AttributeUsage(AttributeTargets.Field)]
public sealed class AtAttribute : Attribute
{
    /// <summary>Declares the offset.</summary>
    /// <param name="offsetBytes">Offset from the start of the struct in bytes.</param>
    public AtAttribute(int offsetBytes) => OffsetBytes = offsetBytes;

    /// <summary>Offset from the start of the struct in bytes.</summary>
    public int OffsetBytes { get; }
}
