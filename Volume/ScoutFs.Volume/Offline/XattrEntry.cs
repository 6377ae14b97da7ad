using ScoutFs.Volume.Format;

namespace ScoutFs.Volume.Offline;

/// <summary>An extended attribute, without its value (format §10.5).</summary>
/// <param name="Name">Full name with prefix, 1..255 bytes.</param>
/// <param name="NameHash">Hash of the name, part of its key.</param>
/// <param name="Id">Id within the inode, part of its key.</param>
/// <param name="ValueBytes">Length of the value, 0..65535.</param>
/// <param name="Tags">Tags in the name.</param>
public readonly record struct XattrEntry(byte[] Name, uint NameHash, ulong Id, int ValueBytes, XattrTags Tags)
{
    /// <summary>Not listed on a mount, except to those who ask for hidden ones; can be read by name.</summary>
    public bool IsHidden => (Tags & XattrTags.Hide) != 0;
}
