using System.Text;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Testing.Model;

/// <summary>Bytes and the model's strings of one character a byte; contents made from seeds.</summary>
public static class ModelText
{
    /// <summary>Printable form of a name.</summary>
    public static string Of(string name) => NameText.Printable(ToBytes(name));

    /// <summary>The bytes of a name.</summary>
    public static byte[] ToBytes(string name) => Encoding.Latin1.GetBytes(name);

    /// <summary>The name of bytes.</summary>
    public static string FromBytes(System.ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    /// <summary>Contents that a seed makes: random, without a byte that is 0.</summary>
    public static byte[] Contents(ulong seed, int lengthBytes)
    {
        byte[] bytes = new byte[lengthBytes];
        new Prng(seed).Fill(bytes);
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] |= (byte)(bytes[i] == 0 ? 1 : 0);
        return bytes;
    }

    /// <summary>Bytes of the value that an operation sets.</summary>
    public static byte[] ValueOf(SetXattrOp op) => op.Text is null ? Contents(op.Seed, op.Length) : ToBytes(op.Text);
}
