using System;
using System.Buffers.Binary;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Inodes;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Nodes;

/// <summary>POSIX ACLs: inheritance, chmod, folding (archive §10.6; acceptance row basic-acl-consistency).</summary>
internal sealed class PosixAclTests : MountedFixture
{
    private static readonly byte[] Access = PosixAcl.AccessName.ToArray();
    private static readonly byte[] Default = PosixAcl.DefaultName.ToArray();

    [Test]
    public async Task DefaultAcl_OfADirectory_IsInheritedInsteadOfTheUmask()
    {
        ulong directory = await MakeDirectoryAsync("d");
        byte[] acl = Acl((1, 7, 0), (2, 6, 22222), (4, 5, 0), (16, 7, 0), (32, 1, 0));
        Assert.That(await SetAsync(directory, Default, acl), Is.EqualTo(FsError.None));
        ulong file = await CreateAsync("f", directory, FileMode.Regular | 0x1b6, umask: 0x1ff);
        Assert.That(await ModeAsync(file), Is.EqualTo(FileMode.Regular | 0x1b0U));
        Assert.That(
            await Fs.GetXattrAsync(file, Access, None) is (FsError.None, var got)
            && got.SequenceEqual(Acl((1, 6, 0), (2, 6, 22222), (4, 5, 0), (16, 6, 0), (32, 0, 0))),
            Is.True);
        ulong child = await CreateAsync("c", directory, FileMode.Directory | 0x1ff, umask: 0x1ff);
        Assert.That(await ModeAsync(child), Is.EqualTo(FileMode.Directory | 0x1f9U));
        Assert.That((await Fs.GetXattrAsync(child, Default, None)).Value, Is.EqualTo(acl));
        ulong plain = await CreateAsync("plain", mode: FileMode.Regular | 0x1b6, umask: 0x12);
        Assert.That(await ModeAsync(plain), Is.EqualTo(FileMode.Regular | 0x1a4U));
    }

    [Test]
    public async Task AccessAcl_AndMode_FollowEachOther()
    {
        ulong file = await CreateAsync("f");
        byte[] acl = Acl((1, 6, 0), (2, 7, 5), (4, 4, 0), (16, 6, 0), (32, 4, 0));
        Assert.That(await SetAsync(file, Access, acl), Is.EqualTo(FsError.None));
        Assert.That(await ModeAsync(file), Is.EqualTo(FileMode.Regular | 0x1b4U));
        _ = await Fs.SetAttributesAsync(file, new AttributeChanges { Permissions = 0x1c9 }, None);
        byte[] changed = (await Fs.GetXattrAsync(file, Access, None)).Value;
        Assert.That(changed, Is.EqualTo(Acl((1, 7, 0), (2, 7, 5), (4, 4, 0), (16, 1, 0), (32, 1, 0))));
        Assert.That(await SetAsync(file, Access, Acl((1, 6, 0), (4, 0, 0), (32, 0, 0))), Is.EqualTo(FsError.None));
        Assert.That((await Fs.GetXattrAsync(file, Access, None)).Error, Is.EqualTo(FsError.NoXattr));
        Assert.That(await ModeAsync(file), Is.EqualTo(FileMode.Regular | 0x180U));
    }

    [Test]
    public async Task Acl_MalformedOrMisplaced_IsRefused()
    {
        ulong file = await CreateAsync("f");
        byte[] good = Acl((1, 6, 0), (4, 4, 0), (32, 4, 0));
        Assert.That(await SetAsync(file, Default, good), Is.EqualTo(FsError.Invalid));
        Assert.That(await SetAsync(file, Default, null), Is.EqualTo(FsError.None));
        Assert.That(await SetAsync(file, Access, good[..^1]), Is.EqualTo(FsError.Invalid));
        Assert.That(await SetAsync(file, Access, Acl((4, 4, 0), (1, 6, 0), (32, 4, 0))), Is.EqualTo(FsError.Invalid));
        Assert.That(await SetAsync(file, Access, Acl((1, 6, 0), (2, 1, 9), (4, 4, 0), (32, 4, 0))),
            Is.EqualTo(FsError.Invalid));
        Assert.That(await SetAsync(file, Access, Acl((1, 8, 0), (4, 4, 0), (32, 4, 0))), Is.EqualTo(FsError.Invalid));
    }

    private static byte[] Acl(params (ushort Tag, ushort Perm, uint Id)[] entries)
    {
        byte[] acl = new byte[4 + (8 * entries.Length)];
        acl[0] = 2;
        for (int i = 0; i < entries.Length; i++)
        {
            var at = acl.AsSpan(4 + (8 * i));
            BinaryPrimitives.WriteUInt16LittleEndian(at, entries[i].Tag);
            BinaryPrimitives.WriteUInt16LittleEndian(at[2..], entries[i].Perm);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], entries[i].Id);
        }

        return acl;
    }

    private async Task<FsError> SetAsync(ulong ino, byte[] name, byte[]? value) =>
        await Fs.SetXattrAsync(ino, name, value, XattrMode.Any, None);

    private async Task<uint> ModeAsync(ulong ino) => (await InodeAsync(ino)).Mode;
}
