using ScoutFs.Volume.Format;

namespace ScoutFs.Testing;

/// <summary>One item of a tree, taken out of its block or still to be put into one.</summary>
/// <param name="Key">Key.</param>
/// <param name="Seq">Version; 0 in trees whose items have none.</param>
/// <param name="Flags">Item flags.</param>
/// <param name="Value">Value, 0..896 bytes.</param>
public sealed record VolumeEditorItem(ItemKey Key, ulong Seq, byte Flags, byte[] Value)
{
    /// <summary>The key does not exist in this version.</summary>
    public bool IsDeletion => (Flags & BtreeItem.FlagDeletion) != 0;

    /// <summary>An item without a value.</summary>
    public static VolumeEditorItem Of(in ItemKey key, ulong seq = 0) => new(key, seq, 0, []);

    /// <summary>An item that is compared in listings by its key.</summary>
    public override string ToString() => $"{Key} seq {Seq}{(IsDeletion ? " deletion" : "")} [{Value.Length}]";
}
