use super::*;

fn export(value: &str) -> String {
    match CacheRef::destinations(value) {
        Ok(references) => {
            let filled = references.into_iter().map(|mut reference| {
                reference.fill_in_export();
                reference.to_string()
            });
            filled.collect::<Vec<_>>().join(" + ")
        }
        Err(error) => format!("error: {error}"),
    }
}

fn import(value: &str) -> String {
    match CacheRef::sources(value) {
        Ok(references) => references.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + "),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn exports_are_whole_and_small_unless_told_otherwise() {
    const LAYERS: &str = "oci-mediatypes=true,image-manifest=true,compression=zstd,mode=max,ignore-error=true";
    let table = [
        ("r.example/c:main", format!("type=registry,ref=r.example/c:main,{LAYERS}")),
        ("a/b,c/d", format!("type=registry,ref=a/b,{LAYERS} + type=registry,ref=c/d,{LAYERS}")),
        ("type=local,dest=/c", format!("type=local,dest=/c,{LAYERS}")),
        ("TYPE=local,Dest=/C", format!("type=local,dest=/C,{LAYERS}")),
        ("type=gha", "type=gha,mode=max,ignore-error=true".to_owned()),
        ("type=inline", "type=inline".to_owned()),
        ("type=s3,bucket=b,region=r", "type=s3,bucket=b,region=r,mode=max,ignore-error=true".to_owned()),
        (
            "type=local,dest=/c,mode=min,compression=gzip,ignore-error=false",
            "type=local,dest=/c,mode=min,compression=gzip,ignore-error=false,oci-mediatypes=true,image-manifest=true".to_owned(),
        ),
        (
            "type=registry,ref=r,oci-mediatypes=false",
            "type=registry,ref=r,oci-mediatypes=false,mode=max,ignore-error=true".to_owned(),
        ),
        (r#"type=local,"dest=/a,""b"" c""#, format!(r#"type=local,"dest=/a,""b"" c",{LAYERS}"#)),
        ("type=local,dest=/a=b", format!("type=local,dest=/a=b,{LAYERS}")),
        ("type=registry,ref=r,future=1", format!("type=registry,ref=r,future=1,{LAYERS}")),
    ];
    for (value, expected) in table {
        assert_eq!(export(value), expected, "{value}");
        // What is written can be read, and says the same.
        for whole in export(value).split(" + ") {
            assert_eq!(export(whole), whole);
        }
    }
}

#[test]
fn what_buildkit_would_ignore_or_refuse_is_said() {
    let table = [
        ("", "error: it is empty"),
        ("a,,b", "error: it is empty"),
        ("ref=r.example/c", "error: it has no `type=`"),
        ("type=registry", "error: a cache of type `registry` needs `ref=`"),
        ("type=registry,ref=", "error: a cache of type `registry` needs `ref=`"),
        ("type=local,src=/c", "error: a cache of type `local` needs `dest=`"),
        ("type=s3", "error: a cache of type `s3` needs `bucket=`"),
        ("type=folder,dest=/c", "error: there is no cache of type `folder`"),
        ("type=local,dest=/c,mode=all", "error: `mode=all` is neither `min` nor `max`"),
        ("type=local,dest=/c,mod=max", "error: a cache of type `local` has no `mod`"),
        ("type=registry,ref=r,compresion=gzip", "error: a cache of type `registry` has no `compresion`"),
        (
            "type=inline,mode=max",
            "error: a cache of type `inline` is part of the image and has its layers only: `mode=max` needs another type",
        ),
        ("type=local,zip", "error: `zip` is no `key=value`"),
        (
            "type=local,dest=\"/c\"",
            "error: a quote is out of place: quotes go around a whole `\"key=value\"`, and a quote in it is written twice",
        ),
        (
            "type=local,\"dest=/c",
            "error: a quote is out of place: quotes go around a whole `\"key=value\"`, and a quote in it is written twice",
        ),
    ];
    for (value, expected) in table {
        assert_eq!(export(value), expected, "{value}");
    }
    for (value, expected) in [
        ("r.example/c:main", "type=registry,ref=r.example/c:main"),
        ("type=local,src=c,tag=t", "type=local,src=c,tag=t"),
        ("type=gha,scope=s", "type=gha,scope=s"),
        ("type=local,dest=c", "error: a cache of type `local` needs `src=`"),
        ("type=inline", "error: a cache of type `inline` is read by the name of its image"),
        ("type=gha,scop=x", "error: a cache of type `gha` has no `scop`"),
    ] {
        assert_eq!(import(value), expected, "{value}");
    }
    let suggestion = |value| match CacheRef::destinations(value) {
        Err(CacheRefError::UnknownType { suggestion, .. }) => suggestion,
        other => panic!("{other:?}"),
    };
    assert_eq!(suggestion("type=registy,ref=r"), Some("registry"));
    assert_eq!(suggestion("type=something,ref=r"), None);
}

#[test]
fn places_are_equal_where_exports_would_overwrite_each_other() {
    let place = |value| CacheRef::destinations(value).unwrap()[0].place();
    for (one, other) in [
        ("r.example:5000/c", "type=registry,ref=r.example:5000/c:latest,mode=min"),
        ("type=local,dest=/c", "type=local,dest=/c,tag=latest"),
        ("type=gha", "type=gha,scope=buildkit"),
    ] {
        assert_eq!(place(one), place(other));
    }
    for (one, other) in [
        ("r.example/c:a", "r.example/c:b"),
        ("type=local,dest=/c,tag=a", "type=local,dest=/c,tag=b"),
        ("type=gha,scope=a", "type=gha,scope=b"),
        ("type=s3,bucket=b,name=x", "type=s3,bucket=b,name=y"),
    ] {
        assert_ne!(place(one), place(other));
    }
    assert_eq!(place("type=inline"), None);
}

#[test]
fn folders_are_relative_to_a_base() {
    for (value, expected) in [("c", "/base/c"), ("./c/", "/base/c"), ("/abs/c", "/abs/c"), ("../c", "/c"), ("a/../../../c", "/c")]
    {
        let mut reference = CacheRef::sources(&format!("type=local,src={value}")).unwrap().remove(0);
        reference.resolve("/base".into());
        assert_eq!(reference.folder().unwrap(), expected);
    }
}
